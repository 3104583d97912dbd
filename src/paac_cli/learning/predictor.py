"""Playing without learning."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.learning.graphs import GraphFunction


class Prediction(NamedTuple):
    """The actions of a policy for `B` observations, and its estimates."""

    action: NDArray  #: [B, ...] as in the environment's `ActionSpec`
    value: NDArray  #: [B] float32, estimated discounted return
    probability: NDArray  #: [B, A] float32, of each action under the policy; [B, 0] unless the action space is Discrete
    state: NDArray  #: [B, S] float32, for the next `predict`, after setting the rows of ended episodes to 0


class Predictor:
    """Implements `Agent.predict` for a network with a method `play`."""

    def __init__(self, play: Callable[..., tuple[tf.Tensor, ...]], state_size: int = 0) -> None:
        """play: (observations [B, ...], states [B, S], seed [2] int64, greedy [] bool) -> a `Prediction` of tensors.

        state_size: S.
        """
        self._play, self._state_size = GraphFunction(play), state_size

    def __call__(self, obs: NDArray, *, seed: int, step: int, greedy: bool, state: NDArray | None = None) -> Prediction:
        if state is None:
            state = np.zeros((len(obs), self._state_size), np.float32)
        key = tf.constant([seed, step], tf.int64)
        return Prediction(*(tensor.numpy() for tensor in self._play(obs, state, key, tf.constant(greedy))))
