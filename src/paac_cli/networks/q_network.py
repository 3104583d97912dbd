"""A Q-network, and epsilon-greedy actions."""

import numpy as np
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.initializers import INITIALIZERS
from paac_cli.networks.layers import DenseLayer, DenseSpec
from paac_cli.networks.normalizer import MomentsFunction, moments_of
from paac_cli.networks.torsos import Torso
from paac_cli.networks.value_bins import ValueBins
from paac_cli.spec import EnvSpec


class QNetwork(tf.Module):
    """`obs [B, ...] -> Q [B, A] float32`, the expected discounted return of each action: a head on a torso."""

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
            raise ConfigError(
                "Q-learning needs a Discrete action space (one choice per step), which this environment does not have; "
                "use algorithm paac or ppo"
            )
        initializer = INITIALIZERS[config.initializer]
        self._torso = Torso(config, spec, initializer, rng)
        features = self._torso.num_features
        self._bins, self._size = bins, bins.num_bins if bins else 1
        outputs = spec.action.num_actions * self._size
        self._q = DenseLayer(features, DenseSpec(outputs, "linear"), initializer, rng, "q")
        value = DenseSpec(self._size, "linear")
        self._value = DenseLayer(features, value, initializer, rng, "value") if dueling else None

    def __call__(self, obs: tf.Tensor) -> tf.Tensor:
        return self.values(self.outputs(obs))

    def outputs(self, obs: tf.Tensor) -> tf.Tensor:
        """Q [B, A], or with `bins` the logits [B, A, K]. obs: [B, ...]."""
        features = self._torso(obs)
        q = self._q(features)
        if self._bins is not None:
            q = tf.reshape(q, [-1, q.shape[1] // self._size, self._size])
        if self._value is None:
            return q
        value = self._value(features)
        return (value if self._bins is None else value[:, None]) + q - tf.reduce_mean(q, axis=1, keepdims=True)

    def values(self, outputs: tf.Tensor) -> tf.Tensor:
        """Q [B, A] of what `outputs` returns."""
        return outputs if self._bins is None else self._bins.mean(outputs)

    def play(
        self, obs: tf.Tensor, seed: tf.Tensor, greedy: tf.Tensor, epsilon: float
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Actions [B] int32, values [B] of the best actions, and probabilities [B, A] of all actions.

        seed: [2] int64, of the noise. greedy: [] bool; if true, the best actions, as if `epsilon` were 0.
        """
        q = self(obs)
        epsilon = tf.where(greedy, 0.0, epsilon)
        best = tf.one_hot(tf.argmax(q, axis=1), q.shape[1])
        probability = (1.0 - epsilon) * best + epsilon / q.shape[1]
        return epsilon_greedy(q, epsilon, seed), tf.reduce_max(q, axis=1), probability

    def observe(self, obs: tf.Tensor, moments: MomentsFunction = moments_of) -> None:
        """Update the running statistics with `obs` [B, ...], if observations are normalised."""
        self._torso.observe(obs, moments)


def epsilon_greedy(q: tf.Tensor, epsilon: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Actions [B] int32: a uniformly random one with probability `epsilon` [], else the best.

    q: [B, A]; seed: [2] int64. The noise of a row depends on the seed, the row's index and `B`, not on other rows.
    """
    noise = tf.random.stateless_uniform([tf.shape(q)[0], 2], seed, alg="philox")
    random_action = tf.cast(noise[:, 1] * q.shape[1], tf.int32)
    return tf.where(noise[:, 0] < epsilon, random_action, tf.argmax(q, axis=1, output_type=tf.int32))


def select_q(q: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
    """`Q(s, a)` [B, ...] of the given `actions` [B] int32. q: [B, A, ...], of all actions."""
    chosen = tf.one_hot(actions, q.shape[1])
    return tf.reduce_sum(q * (chosen if q.shape.rank == 2 else chosen[:, :, None]), axis=1)
