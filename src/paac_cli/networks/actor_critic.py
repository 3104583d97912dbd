"""A policy head and a value head on one torso."""

import numpy as np
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.networks.distributions import distribution_over
from paac_cli.networks.initializers import INITIALIZERS
from paac_cli.networks.layers import DenseLayer, DenseSpec
from paac_cli.networks.normalizer import MomentsFunction, RunningMoments, moments_of
from paac_cli.networks.torsos import Torso
from paac_cli.spec import EnvSpec


class ActorCritic(tf.Module):
    """`obs [B, ...] -> parameters of the policy [B, P], values [B]`, float32: two heads on one torso.

    `distribution` is the action distribution with these parameters.
    The orthogonal initialiser gives the policy head a gain of 0.01, so that the first policy is close to uniform
    (Andrychowicz et al. 2020, arXiv 2006.05990, section 3.2). The log standard deviations of continuous actions are
    variables that do not depend on the observation.
    """

    def __init__(
        self,
        config: NetworkConfig,
        spec: EnvSpec,
        rng: np.random.Generator,
        value_moments: RunningMoments | None = None,
    ) -> None:
        """value_moments: of the returns. The value head then predicts normalised returns, but `values` and `__call__`
        return values in units of the returns.
        """
        super().__init__()
        initializer = INITIALIZERS[config.initializer]
        self.distribution = distribution_over(spec.action)
        self._value_moments = value_moments
        self._torso = Torso(config, spec, initializer, rng)
        features = self._torso.num_features
        self._log_std = None if spec.action.choices else tf.Variable(tf.zeros(spec.action.shape), name="policy/log_std")
        outputs = self.distribution.num_parameters if self._log_std is None else spec.action.shape[0]
        self._policy = DenseLayer(features, DenseSpec(outputs, "linear"), initializer, rng, "policy", gain=0.01)
        self._value = DenseLayer(features, DenseSpec(1, "linear"), initializer, rng, "value", gain=1.0)

    def __call__(self, obs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        features = self._torso(obs)
        parameters = self._policy(features)
        if self._log_std is not None:
            parameters = tf.concat([parameters, tf.broadcast_to(self._log_std, tf.shape(parameters))], axis=1)
        return parameters, self._value_of(features)

    def values(self, obs: tf.Tensor) -> tf.Tensor:
        """Values [B] of observations [B, ...]."""
        return self._value_of(self._torso(obs))

    def play(self, obs: tf.Tensor, seed: tf.Tensor, greedy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Actions [B, ...], values [B] and probabilities [B, A], or [B, 0] if the action space is not Discrete.

        seed: [2] int64, of the noise. greedy: [] bool; if true, the most probable actions instead of samples.
        """
        parameters, value = self(obs)
        best, sampled = self.distribution.mode(parameters), self.distribution.sample(parameters, seed)
        probability = tf.nn.softmax(parameters) if best.shape.rank == 1 else parameters[:, :0]
        return tf.where(greedy, best, sampled), value, probability

    def observe(self, obs: tf.Tensor, moments: MomentsFunction = moments_of) -> None:
        """Update the running statistics with `obs` [B, ...], if observations are normalised."""
        self._torso.observe(obs, moments)

    def _value_of(self, features: tf.Tensor) -> tf.Tensor:
        value = tf.squeeze(self._value(features), axis=1)
        moments = self._value_moments
        return value if moments is None else value * moments.deviation + moments.mean
