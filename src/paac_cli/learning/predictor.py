"""Playing without learning."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.learning.graphs import GraphFunction


class Prediction(NamedTuple):
    """The actions of a policy for `B` observations, and its estimates."""

    action: NDArray  #: [B, ...] as in the environment's `ActionSpec`
    value: NDArray  #: [B] float32, estimated discounted return
    probability: NDArray  #: [B, A] float32, of each action under the policy; [B, 0] unless the action space is Discrete


class Predictor:
    """Implements `Agent.predict` for a network with a method `play`."""

    def __init__(
        self, play: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
    ) -> None:
        """play: (observations [B, ...], seed [2] int64, greedy [] bool) -> the fields of a `Prediction` as tensors."""
        self._play = GraphFunction(play)

    def __call__(self, obs: NDArray, *, seed: int, step: int, greedy: bool) -> Prediction:
        key = tf.constant([seed, step], tf.int64)
        action, value, probability = self._play(obs, key, tf.constant(greedy))
        return Prediction(action.numpy(), value.numpy(), probability.numpy())
