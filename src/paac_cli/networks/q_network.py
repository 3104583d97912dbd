"""A Q-network."""

import numpy as np
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.action_mask import is_legal
from paac_cli.networks.initializers import INITIALIZERS
from paac_cli.networks.layers import DenseLayer, DenseSpec
from paac_cli.networks.normalizer import MomentsFunction
from paac_cli.networks.recurrent import NO_STATE, Sequences, States
from paac_cli.networks.trunk import Trunk
from paac_cli.networks.value_bins import ValueBins
from paac_cli.spec import EnvSpec


class QNetwork(tf.Module):
    """`obs [B, ...] -> Q [B, A] float32`, the expected discounted return of each action: a head on a trunk.

    With a recurrent cell, `Q` depends on a state, which has `state_size` (S) numbers; without one, S = 0. If
    observations end with action masks, `Q` of an illegal action is `ILLEGAL`.
    """

    def __init__(
        self,
        config: NetworkConfig,
        spec: EnvSpec,
        rng: np.random.Generator,
        *,
        dueling: bool = False,
        bins: ValueBins | None = None,
    ) -> None:
        """dueling: Q = V + A - mean(A), with one head for V and one for A (Wang et al. 2016, arXiv 1511.06581, eq. 9).

        bins: the heads give logits over them, and Q is the mean of the distribution; with `dueling` V and A are logits.

        Raises ConfigError if the action space is not Discrete.
        """
        super().__init__()
        if spec.action.num_actions is None:
            others = "paac or ppo" if spec.action.choices or spec.action.unbounded else "sac, paac or ppo"
            raise ConfigError(
                "Q-learning needs a Discrete action space (one choice per step), which this environment does not have; "
                f"use algorithm {others}"
            )
        initializer = INITIALIZERS[config.initializer]
        self._trunk = Trunk(config, spec, rng)
        self.state_size = self._trunk.state_size
        self._has_mask = spec.has_mask
        features = self._trunk.num_features
        self._bins, self._size = bins, bins.num_bins if bins else 1
        outputs = spec.action.num_actions * self._size
        self._q = DenseLayer(features, DenseSpec(outputs, "linear"), initializer, rng, "q")
        value = DenseSpec(self._size, "linear")
        self._value = DenseLayer(features, value, initializer, rng, "value") if dueling else None

    def __call__(self, obs: tf.Tensor) -> tf.Tensor:
        """Q [B, A] of observations [B, ...]; for a network without a recurrent cell."""
        return self.step(obs, NO_STATE)[0]

    def step(self, obs: tf.Tensor, state: States) -> tuple[tf.Tensor, States]:
        """Q [B, A], and the states [B, S] after this step. obs: [B, ...]; state: [B, S]."""
        features, state = self._trunk(obs, state)
        outputs = self._heads(features)
        q = outputs if self._bins is None else self._bins.mean(outputs)
        return self._trunk.mask.exclude(q, obs), state

    def unroll(self, sequences: Sequences) -> tf.Tensor:
        """Q [T * N, A] of `T` steps of `N` environments, or with `bins` the logits [T * N, A, K]."""
        return self._heads(self._trunk.unroll(sequences))

    def play(
        self, obs: tf.Tensor, state: States, seed: tf.Tensor, greedy: tf.Tensor, epsilon: float
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Actions [B] int32, values [B] of the best actions, probabilities [B, A] of all actions, and states [B, S].

        seed: [2] int64, of the noise. greedy: [] bool; if true, the best actions, as if `epsilon` were 0.
        """
        q, state = self.step(obs, state)
        epsilon = tf.where(greedy, 0.0, epsilon)
        best = tf.one_hot(tf.argmax(q, axis=1), q.shape[1])
        probability = (1.0 - epsilon) * best + (epsilon * _uniform(q) if self._has_mask else epsilon / q.shape[1])
        return self.epsilon_greedy(q, epsilon, seed), tf.reduce_max(q, axis=1), probability, state

    def epsilon_greedy(self, q: tf.Tensor, epsilon: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Actions [B] int32: a uniformly random legal one with probability `epsilon` [], else the best.

        q: [B, A]; seed: [2] int64. The noise of a row depends on the seed, the row's index and `B`, not on other rows.
        """
        noise = tf.random.stateless_uniform([tf.shape(q)[0], 2], seed, alg="philox")
        if self._has_mask:
            legal = tf.cast(is_legal(q), tf.int32)
            count = tf.reduce_sum(legal, axis=1)
            index = tf.cast(noise[:, 1] * tf.cast(count, tf.float32), tf.int32)
            random_action = tf.argmax(tf.cumsum(legal, axis=1) > index[:, tf.newaxis], axis=1, output_type=tf.int32)
        else:
            random_action = tf.cast(noise[:, 1] * q.shape[1], tf.int32)
        return tf.where(noise[:, 0] < epsilon, random_action, tf.argmax(q, axis=1, output_type=tf.int32))

    def expected_q(self, q: tf.Tensor, epsilon: tf.Tensor) -> tf.Tensor:
        """The mean [B] of `q` [B, A] under the epsilon-greedy policy. epsilon: []."""
        mean = tf.reduce_sum(q * _uniform(q), axis=1) if self._has_mask else tf.reduce_mean(q, axis=1)
        return (1.0 - epsilon) * tf.reduce_max(q, axis=1) + epsilon * mean

    def observe(self, obs: tf.Tensor, moments: MomentsFunction) -> None:
        """Update the running statistics with `obs` [B, ...], if observations are normalised."""
        self._trunk.observe(obs, moments)

    def _heads(self, features: tf.Tensor) -> tf.Tensor:
        q = self._q(features)
        if self._bins is not None:
            q = tf.reshape(q, [-1, q.shape[1] // self._size, self._size])
        if self._value is None:
            return q
        value = self._value(features)
        return (value if self._bins is None else value[:, None]) + q - tf.reduce_mean(q, axis=1, keepdims=True)


def _uniform(q: tf.Tensor) -> tf.Tensor:
    """The probabilities [B, A] of each action if all legal ones are equally probable. q: [B, A]."""
    legal = tf.cast(is_legal(q), tf.float32)
    return tf.math.divide_no_nan(legal, tf.reduce_sum(legal, axis=1, keepdims=True))


def select_q(q: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
    """`Q(s, a)` [B, ...] of the given `actions` [B] int32. q: [B, A, ...], of all actions."""
    chosen = tf.one_hot(actions, q.shape[1])
    return tf.reduce_sum(q * (chosen if q.shape.rank == 2 else chosen[:, :, None]), axis=1)
