"""A policy head and a value head, on one trunk or each on a torso of its own."""

import numpy as np
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.networks.distributions import distribution_over
from paac_cli.networks.initializers import INITIALIZERS
from paac_cli.networks.layers import DenseLayer, DenseSpec
from paac_cli.networks.normalizer import MomentsFunction, RunningMoments
from paac_cli.networks.recurrent import Sequences, States
from paac_cli.networks.torsos import Torso
from paac_cli.networks.trunk import Trunk
from paac_cli.spec import EnvSpec


class ActorCritic(tf.Module):
    """`obs [B, ...] -> parameters of the policy [B, P], values [B]`, float32: two heads on one trunk.

    Policy: `distribution` is the distribution of actions with these parameters. Illegal actions have probability 0, if
    observations end with action masks. The log standard deviations of continuous actions do not depend on the
    observation.

    Value: with `network.separate_value` its head has a torso of its own, which gets observations as the trunk scales
    them.

    State: with a recurrent cell both depend on a state of `state_size` (S) numbers; without one, S = 0.

    Initial weights: the orthogonal initialiser gives the policy head a gain of 0.01, so that the first policy is close
    to uniform (Andrychowicz et al. 2020, arXiv 2006.05990, section 3.2).
    """

    def __init__(
        self,
        config: NetworkConfig,
        spec: EnvSpec,
        rng: np.random.Generator,
        value_moments: RunningMoments | None = None,
    ) -> None:
        """value_moments: of the returns. The value head then predicts normalised returns; all methods return values in
        units of the returns.
        """
        super().__init__()
        initializer = INITIALIZERS[config.initializer]
        self.distribution = distribution_over(spec.action)
        self._value_moments = value_moments
        self._trunk = Trunk(config, spec, rng)
        self.state_size = self._trunk.state_size
        features = self._trunk.num_features
        self._log_std = None if spec.action.choices else tf.Variable(tf.zeros(spec.action.shape), name="policy/log_std")
        outputs = self.distribution.num_parameters if self._log_std is None else spec.action.shape[0]
        self._policy = DenseLayer(features, DenseSpec(outputs, "linear"), initializer, rng, "policy", gain=0.01)
        self._value_torso = None
        if config.separate_value:
            of_value = config.model_copy(update={"normalize_obs": False})
            self._value_torso = Torso(of_value, spec.without_mask().scaled(), initializer, rng, "value_torso")
            features = self._value_torso.num_features
        self._value = DenseLayer(features, DenseSpec(1, "linear"), initializer, rng, "value", gain=1.0)

    def step(self, obs: tf.Tensor, state: States) -> tuple[tf.Tensor, tf.Tensor, States]:
        """Parameters [B, P], values [B], and the states [B, S] after this step. obs: [B, ...]; state: [B, S]."""
        features, state = self._trunk(obs, state)
        return *self._heads(features, obs), state

    def unroll(self, sequences: Sequences) -> tuple[tf.Tensor, tf.Tensor]:
        """Parameters [T * N, P] and values [T * N] of `T` steps of `N` environments."""
        return self._heads(self._trunk.unroll(sequences), sequences.obs)

    def values(self, obs: tf.Tensor, state: States) -> tf.Tensor:
        """Values [B] of observations [B, ...]. state: [B, S]."""
        return self._value_of(self._trunk(obs, state)[0], obs)

    def play(
        self, obs: tf.Tensor, state: States, seed: tf.Tensor, greedy: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Actions [B, ...], values [B], probabilities [B, A], or [B, 0] if actions are not Discrete, and states [B, S].

        seed: [2] int64, of the noise. greedy: [] bool; if true, the most probable actions instead of samples.
        """
        parameters, value, state = self.step(obs, state)
        best, sampled = self.distribution.mode(parameters), self.distribution.sample(parameters, seed)
        probability = tf.nn.softmax(parameters) if best.shape.rank == 1 else parameters[:, :0]
        return tf.where(greedy, best, sampled), value, probability, state

    def observe(self, obs: tf.Tensor, moments: MomentsFunction) -> None:
        """Update the running statistics with `obs` [B, ...], if observations are normalised."""
        self._trunk.observe(obs, moments)

    def _heads(self, features: tf.Tensor, obs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parameters = self._trunk.mask.exclude(self._policy(features), obs)
        if self._log_std is not None:
            parameters = tf.concat([parameters, tf.broadcast_to(self._log_std, tf.shape(parameters))], axis=1)
        return parameters, self._value_of(features, obs)

    def _value_of(self, features: tf.Tensor, obs: tf.Tensor) -> tf.Tensor:
        """Values [B]. features: of the trunk, [B, F]; obs: [B, ...]."""
        if self._value_torso is not None:
            features = self._value_torso(self._trunk.scaled(obs))
        value = tf.squeeze(self._value(features), axis=1)
        moments = self._value_moments
        return value if moments is None else value * moments.deviation + moments.mean
