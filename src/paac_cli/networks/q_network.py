"""Action values on a torso."""

import numpy as np
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.initializers import INITIALIZERS
from paac_cli.networks.layers import Dense, Linear
from paac_cli.networks.torsos import Torso
from paac_cli.spec import EnvSpec


class QNetwork(tf.Module):
    """`obs [B, ...] -> Q [B, A]`, the expected discounted return of each action."""

    def __init__(
        self, config: NetworkConfig, spec: EnvSpec, rng: np.random.Generator, *, dueling: bool = False
    ) -> None:
        """dueling: Q = V + A - mean(A), with a head for each (Wang et al. 2016, arXiv 1511.06581, eq. 9).

        Raises ConfigError where an action is not one choice among several.
        """
        super().__init__()
        if spec.action.num_actions is None:
            raise ConfigError(
                "action values are for environments in which an action is one choice (Discrete); "
                "algorithms paac and ppo take the others"
            )
        initializer = INITIALIZERS[config.initializer]
        self._torso = Torso(config, spec, initializer, rng)
        features = self._torso.num_features
        self._q = Linear(features, Dense(spec.action.num_actions, "linear"), initializer, rng, "q")
        self._value = Linear(features, Dense(1, "linear"), initializer, rng, "value") if dueling else None

    def __call__(self, obs: tf.Tensor) -> tf.Tensor:
        features = self._torso(obs)
        q = self._q(features)
        if self._value is None:
            return q
        return self._value(features) + q - tf.reduce_mean(q, axis=1, keepdims=True)

    def play(
        self, obs: tf.Tensor, seed: tf.Tensor, greedy: tf.Tensor, epsilon: float
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Actions [B], values of the best [B] and probabilities [B, A]; greedy: [] bool, no chance at all."""
        q = self(obs)
        share = tf.where(greedy, 0.0, epsilon)
        best = tf.one_hot(tf.argmax(q, axis=1), q.shape[1])
        return epsilon_greedy(q, share, seed), tf.reduce_max(q, axis=1), (1.0 - share) * best + share / q.shape[1]

    def observe(self, obs: tf.Tensor) -> None:
        """Take `obs` [B, ...] into the running statistics of the torso, if it has any."""
        self._torso.observe(obs)


def epsilon_greedy(q: tf.Tensor, epsilon: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Actions [B] int32: any with probability `epsilon` [], else the best. q: [B, A]; seed: [2] int64.

    The noise of a row depends on its place alone.
    """
    noise = tf.random.stateless_uniform([tf.shape(q)[0], 2], seed, alg="philox")
    any_action = tf.cast(noise[:, 1] * q.shape[1], tf.int32)
    return tf.where(noise[:, 0] < epsilon, any_action, tf.argmax(q, axis=1, output_type=tf.int32))


def value_of(q: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
    """Q of the actions [B] taken: [B]."""
    return tf.reduce_sum(q * tf.one_hot(actions, q.shape[1]), axis=1)
