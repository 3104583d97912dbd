"""The networks of soft actor-critic: a policy and two critics, for continuous or discrete actions.

The critics estimate the value of actions, `Q(s, a)`. `min Q` is the smaller one of their two values (Fujimoto et al.
2018, arXiv 1802.09477, section 4.2).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.networks.action_mask import ILLEGAL, ActionMask, is_legal
from paac_cli.networks.distributions import Categorical
from paac_cli.networks.initializers import INITIALIZERS
from paac_cli.networks.layers import DenseLayer, DenseSpec
from paac_cli.networks.normalizer import MomentsFunction
from paac_cli.networks.torsos import Torso
from paac_cli.spec import EnvSpec

_LOG_STD = (-20.0, 2.0)  # bounds, as in the code of Haarnoja et al. 2018
_JOIN_UNITS = 256  # of the layer that joins the features of an image with an action


class SoftValue(NamedTuple):
    """The value of states under a policy that is rewarded for its entropy."""

    value: tf.Tensor  #: [B], the expectation over actions of `min Q(s, a) - alpha * log pi(a|s)`
    entropy: tf.Tensor  #: [B], an estimate of the entropy of `pi(.|s)`


class Critic(Protocol):
    """Estimates `Q`. An `ActionKind` knows the arguments and the shape of the result."""

    variables: Sequence[tf.Variable]

    def __call__(self, obs: tf.Tensor, *action: tf.Tensor) -> tf.Tensor:
        """obs: [B, ...] float32."""


#: `min Q` for certain observations. Continuous: called with actions [B, D], it gives their values [B]. Discrete:
#: called without arguments, it gives the values [B, A] of all actions.
MinQ = Callable[..., tf.Tensor]


def min_q_of(critics: Sequence[Critic], obs: tf.Tensor) -> MinQ:
    """`min Q` of these critics for observations [B, ...]."""
    return lambda *action: tf.minimum(*(critic(obs, *action) for critic in critics))


def with_fixed_weights(min_q: MinQ) -> MinQ:
    """The same `min_q`, with a gradient that reaches the actions but not the weights of the critics.

    For continuous actions, the gradient by the actions is computed at once and held constant, as `slope`. Added to the
    constant value is `slope * (action - copy)`, where `copy` is the action held constant: it is 0, and its gradient is
    `slope`. For one choice, the values are constant.
    """

    def fixed(*actions: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(actions)
            value = min_q(*actions)
        slopes = tape.gradient(value, actions)
        value = tf.stop_gradient(value)
        for action, slope in zip(actions, slopes, strict=True):
            value += tf.reduce_sum(tf.stop_gradient(slope) * (action - tf.stop_gradient(action)), axis=1)
        return value

    return fixed


class ActionKind(Protocol):
    """What depends on the kind of actions. A policy gives `num_parameters` (P) numbers for each observation."""

    num_parameters: int
    head_name: str  #: prefix of the names of the variables that give the parameters

    def make_critic(self, config: NetworkConfig, spec: EnvSpec, rng: np.random.Generator, name: str) -> Critic:
        """name: prefix of the names of its variables."""

    def q(self, critic: Critic, obs: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """Values [B] of actions [B, ...]."""

    def soft_value(self, parameters: tf.Tensor, min_q: MinQ, alpha: tf.Tensor, seed: tf.Tensor) -> SoftValue:
        """The value [B] of the observations for which `min_q` is.

        parameters: [B, P], of the policy for them. alpha: [], the temperature. seed: [2] int64, of the noise.
        """

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Actions [B, ...]."""

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        """The actions [B, ...] of a greedy policy."""

    def uniform(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Uniformly random actions [B, ...], for a policy with `parameters` [B, P]."""

    def probability(self, parameters: tf.Tensor) -> tf.Tensor:
        """Of each discrete action [B, A]; [B, 0] for continuous actions."""


class ContinuousActions:
    """Actions in [-1, 1]^D: `tanh` of a Gaussian, whose parameters are D means and D log standard deviations.

    Haarnoja et al. 2018, arXiv 1812.05905, appendix C.
    """

    head_name = "policy/squashed_gaussian"

    def __init__(self, size: int) -> None:
        self._size, self.num_parameters = size, 2 * size

    def make_critic(self, config: NetworkConfig, spec: EnvSpec, rng: np.random.Generator, name: str) -> Critic:
        return _ContinuousCritic(config, spec, rng, name)

    def q(self, critic: Critic, obs: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        return critic(obs, action)

    def soft_value(self, parameters: tf.Tensor, min_q: MinQ, alpha: tf.Tensor, seed: tf.Tensor) -> SoftValue:
        """One sampled action stands for the expectation. Gradients flow through it (the reparametrisation trick)."""
        action, log_prob = self.sample_with_log_prob(parameters, seed)
        return SoftValue(min_q(action) - alpha * log_prob, -log_prob)

    def sample_with_log_prob(self, parameters: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Actions [B, D], and the logarithms [B] of their probability densities.

        log pi(a) = sum_d log N(u_d; mean_d, std_d) - log(1 - tanh(u_d)^2),  a = tanh(u)
        """
        mean, log_std = self._split(parameters)
        noise = tf.random.stateless_normal(tf.shape(mean), seed, alg="philox")
        u = mean + tf.exp(log_std) * noise
        log_density = -0.5 * tf.square(noise) - log_std - 0.5 * math.log(2.0 * math.pi)
        v = -2.0 * u  # a third use of `u` would make its gradient a sum of three, which prevents parallel parts
        log_slope = 2.0 * (math.log(2.0) + 0.5 * v - tf.math.softplus(v))  # log(1 - tanh(u)^2), also for large u
        return tf.tanh(u), tf.reduce_sum(log_density - log_slope, axis=1)

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.sample_with_log_prob(parameters, seed)[0]

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.tanh(self._split(parameters)[0])

    def uniform(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        count = tf.shape(parameters)[0]
        return tf.random.stateless_uniform([count, self._size], seed, minval=-1.0, maxval=1.0, alg="philox")

    def probability(self, parameters: tf.Tensor) -> tf.Tensor:
        return parameters[:, :0]

    def _split(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Means and log standard deviations, each [B, D]."""
        mean, log_std = tf.split(parameters, 2, axis=1)
        return mean, tf.clip_by_value(log_std, *_LOG_STD)


class DiscreteActions:
    """`A` discrete actions: the parameters are logits, and the critics give the values of all actions.

    Christodoulou 2019, arXiv 1910.07207: expectations are sums over all actions, so nothing is sampled in updates.
    """

    head_name = "policy"

    def __init__(self, num_actions: int, *, has_mask: bool = False) -> None:
        """has_mask: whether some actions may be illegal, whose logits are then `ILLEGAL`."""
        self.num_parameters, self._has_mask = num_actions, has_mask
        self._distribution = Categorical(num_actions)

    def make_critic(self, config: NetworkConfig, spec: EnvSpec, rng: np.random.Generator, name: str) -> Critic:
        return _DiscreteCritic(config, spec, rng, name)

    def q(self, critic: Critic, obs: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(critic(obs) * tf.one_hot(action, self.num_parameters), axis=1)

    def soft_value(self, parameters: tf.Tensor, min_q: MinQ, alpha: tf.Tensor, seed: tf.Tensor) -> SoftValue:
        entropy = self._distribution.entropy(parameters)
        return SoftValue(tf.reduce_sum(tf.nn.softmax(parameters) * min_q(), axis=1) + alpha * entropy, entropy)

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self._distribution.sample(parameters, seed)

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        return self._distribution.mode(parameters)

    def uniform(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if self._has_mask:
            return self._distribution.sample(tf.where(is_legal(parameters), 0.0, ILLEGAL), seed)
        count = tf.shape(parameters)[0]
        return tf.random.stateless_uniform([count], seed, maxval=self.num_parameters, dtype=tf.int32, alg="philox")

    def probability(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(parameters)


class SoftActorCritic(tf.Module):
    """A policy and two critics, each with its own torso. The critics get observations as the policy scales them."""

    def __init__(
        self,
        config: NetworkConfig,
        spec: EnvSpec,
        actions: ActionKind,
        rng: np.random.Generator,
        *,
        critic_layer_norm: bool,
    ) -> None:
        """critic_layer_norm: layer normalisation in the torsos of the critics, also without `network.layer_norm`."""
        super().__init__()
        self.actions = actions
        initializer = INITIALIZERS[config.initializer]
        self._mask = ActionMask(spec)
        spec = spec.without_mask()
        self._torso = Torso(config, spec, initializer, rng)
        outputs = DenseSpec(actions.num_parameters, "linear")
        self._policy = DenseLayer(self._torso.num_features, outputs, initializer, rng, actions.head_name, gain=0.01)
        of_critic = config.model_copy(
            update={"normalize_obs": False, "layer_norm": config.layer_norm or critic_layer_norm}
        )
        self.critics = [actions.make_critic(of_critic, spec.scaled(), rng, name) for name in ("critic_1", "critic_2")]

    def scaled(self, obs: tf.Tensor) -> tf.Tensor:
        """Observations [B, ...] as the critics take them: without masks, float32, normalised if that is configured."""
        return self._torso.scaled(self._mask.split(obs))

    def parameters(self, obs: tf.Tensor) -> tf.Tensor:
        """Parameters [B, P] of the policy for observations [B, ...] of any dtype."""
        return self._mask.exclude(self._policy(self._torso(self._mask.split(obs))), obs)

    def play(
        self, obs: tf.Tensor, state: tf.Tensor, seed: tf.Tensor, greedy: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Actions [B, ...], their values `min Q` [B], probabilities [B, A], or [B, 0] if they are continuous, `state`.

        state: [B, 0]; there is no recurrent cell. seed: [2] int64, of the noise. greedy: [] bool; if true, the mode of
        the policy instead of samples.
        """
        parameters, scaled = self.parameters(obs), self.scaled(obs)
        action = tf.where(greedy, self.actions.mode(parameters), self.actions.sample(parameters, seed))
        value = tf.minimum(*(self.actions.q(critic, scaled, action) for critic in self.critics))
        return action, value, self.actions.probability(parameters), state

    def observe(self, obs: tf.Tensor, moments: MomentsFunction) -> None:
        """Update the running statistics with `obs` [B, ...], if observations are normalised."""
        self._torso.observe(self._mask.split(obs), moments)


class _ContinuousCritic(tf.Module):
    """`(obs [B, ...], action [B, D]) -> Q(s, a) [B]`, float32.

    Torso `mlp` takes the observation and the action as one vector. After another torso, a layer of 256 units joins its
    features with the action.
    """

    def __init__(self, config: NetworkConfig, spec: EnvSpec, rng: np.random.Generator, name: str) -> None:
        super().__init__()
        initializer, size = INITIALIZERS[config.initializer], spec.action.shape[0]
        takes_vectors = config.torso == "mlp" and not config.torsos
        if takes_vectors:
            spec = spec._replace(obs_shape=(int(np.prod(spec.obs_shape)) + size,), parts=())
        self._torso = Torso(config, spec, initializer, rng, f"{name}/torso")
        self._join, features = None, self._torso.num_features
        if not takes_vectors:
            join = DenseSpec(_JOIN_UNITS, "relu")
            self._join = DenseLayer(
                features + size, join, initializer, rng, f"{name}/join", layer_norm=config.layer_norm
            )
            features = _JOIN_UNITS
        self._q = DenseLayer(features, DenseSpec(1, "linear"), initializer, rng, f"{name}/q")

    def __call__(self, obs: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        if self._join is None:
            flat = tf.reshape(obs, [-1, int(np.prod(obs.shape[1:]))])
            features = self._torso(tf.concat([flat, action], axis=1))
        else:
            features = self._join(tf.concat([self._torso(obs), action], axis=1))
        return tf.squeeze(self._q(features), axis=1)


class _DiscreteCritic(tf.Module):
    """`obs [B, ...] -> Q(s, .) [B, A]`, float32."""

    def __init__(self, config: NetworkConfig, spec: EnvSpec, rng: np.random.Generator, name: str) -> None:
        super().__init__()
        initializer = INITIALIZERS[config.initializer]
        self._torso = Torso(config, spec, initializer, rng, f"{name}/torso")
        outputs = DenseSpec(spec.action.choices[0], "linear")
        self._q = DenseLayer(self._torso.num_features, outputs, initializer, rng, f"{name}/q")

    def __call__(self, obs: tf.Tensor) -> tf.Tensor:
        return self._q(self._torso(obs))
