"""A policy and a value on one torso."""

import numpy as np
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.networks.initializers import INITIALIZERS
from paac_cli.networks.torsos import Dense, Linear, Torso


class ActorCritic(tf.Module):
    """`obs [B, ...] -> logits [B, A], values [B]`.

    The policy head starts at a hundredth of the usual scale where the initializer has one, so that
    the first policy is close to uniform (Andrychowicz et al. 2020, arXiv 2006.05990, section 3.2).
    """

    def __init__(
        self, config: NetworkConfig, obs_shape: tuple[int, ...], num_actions: int, rng: np.random.Generator
    ) -> None:
        super().__init__()
        initializer = INITIALIZERS[config.initializer]
        self._torso = Torso(config, obs_shape, initializer, rng)
        features = self._torso.num_features
        self._policy = Linear(features, Dense(num_actions, "linear"), initializer, rng, "policy", gain=0.01)
        self._value = Linear(features, Dense(1, "linear"), initializer, rng, "value", gain=1.0)

    def __call__(self, obs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        features = self._torso(obs)
        return self._policy(features), tf.squeeze(self._value(features), axis=1)

    def values(self, obs: tf.Tensor) -> tf.Tensor:
        """[B, ...] -> [B]"""
        return tf.squeeze(self._value(self._torso(obs)), axis=1)

    def observe(self, obs: tf.Tensor) -> None:
        """Take `obs` [B, ...] into the running statistics of the torso, if it has any."""
        self._torso.observe(obs)
