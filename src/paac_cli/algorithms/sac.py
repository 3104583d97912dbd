"""SAC: soft actor-critic from replayed experience (Haarnoja et al. 2018, arXiv 1812.05905).

For discrete actions as in Christodoulou 2019 (arXiv 1910.07207). `utd_ratio` updates per agent step, each on a batch
drawn from the latest `buffer_size` transitions:

    V(s)             = E_a~pi( min Q(s, a) - alpha * log pi(a|s) )
    target           = R + gamma^n * V_target(s')
    critic loss      = mean( (Q_1(s, a) - target)^2 + (Q_2(s, a) - target)^2 )
    policy loss      = -mean( V(s) )
    temperature loss = mean( log alpha * (entropy of pi(.|s) - target_entropy) )

`R` is the discounted sum of `n` rewards: of `n_step`, or fewer if the episode ends before. `s'` is the state after
them; a termination replaces `gamma^n` by 0. `V_target` is computed with the target critics. The critic loss updates
only the critics, the policy loss only the policy, and the temperature loss only alpha. All are computed with the
weights before the update. Afterwards the target critics move by `tau` towards the critics.

With `normalize_reward`, `R` is divided by the running standard deviation of the discounted return, and clipped to +-10
of these deviations: the sum of the `n` rewards is clipped, not each reward.
"""

import math
from fractions import Fraction

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics
from paac_cli.algorithms.replay import ReplayBatch, ReplayBuffer
from paac_cli.algorithms.replay_memory import ReplayLearnerState, ReplayMemory, stack_frames
from paac_cli.config.algorithms import SacConfig
from paac_cli.config.schema import RunConfig
from paac_cli.errors import ConfigError
from paac_cli.learning.graphs import GraphFunction, call_if, compile_graph
from paac_cli.learning.noise import noise_seed
from paac_cli.learning.obs_statistics import ObsStatistics
from paac_cli.learning.optimizers import CheckedOptimizer
from paac_cli.learning.predictor import Predictor
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.reward_normalizer import RewardNormalizer
from paac_cli.learning.schedules import linear_decay
from paac_cli.learning.variables import Variables
from paac_cli.networks.action_mask import is_legal
from paac_cli.networks.soft_actor_critic import (
    ActionKind,
    ContinuousActions,
    DiscreteActions,
    SoftActorCritic,
    min_q_of,
    with_fixed_weights,
)
from paac_cli.seeding import replay_generator, weights_generator
from paac_cli.spec import ActionSpec, EnvSpec
from paac_cli.timestep import TimeStep

_TARGET_ENTROPY_SHARE = 0.98  # of the highest entropy of discrete actions (Christodoulou 2019, appendix)


def sac_losses(
    q: list[tf.Tensor],
    target: tf.Tensor,
    value: tf.Tensor,
    entropy: tf.Tensor,
    log_alpha: tf.Tensor,
    target_entropy: tf.Tensor | float,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The sum [] of the three losses of a batch, and their diagnostics.

    q: of both critics, each [B]. target, value, entropy: [B]. log_alpha: [].
    """
    critic_loss = tf.add_n([tf.reduce_mean(tf.square(one - target)) for one in q])
    policy_loss = -tf.reduce_mean(value)
    mean_entropy = tf.reduce_mean(entropy)
    temperature_loss = log_alpha * tf.stop_gradient(mean_entropy - target_entropy)
    return critic_loss + policy_loss + temperature_loss, {
        "train/critic_loss": critic_loss,
        "train/policy_loss": policy_loss,
        "train/q_mean": tf.reduce_mean(q[0]),
        "train/entropy": mean_entropy,
        "train/ent_coef": tf.exp(log_alpha),
    }


class Sac:
    """The SAC agent. See the module's docstring for the algorithm and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec) -> None:
        assert isinstance(config.algorithm, SacConfig)
        self._settings = settings = config.algorithm
        self._seed, self._num_envs = config.seed, config.sampling.num_envs
        actions = _action_kind(spec)
        self._target_entropy = _target_entropy(settings, spec.action)
        self._follows_masks = spec.has_mask and settings.target_entropy == "auto"
        self._utd_ratio = Fraction(str(settings.utd_ratio))  # exact: 100 * 0.29 < 29 in binary

        def make_network() -> SoftActorCritic:
            rng, layer_norm = weights_generator(config.seed), settings.critic_layer_norm
            return SoftActorCritic(config.network, spec, actions, rng, critic_layer_norm=layer_norm)

        self._network, self._targets = make_network(), make_network().critics
        initial = settings.initial_ent_coef if settings.ent_coef == "auto" else settings.ent_coef
        self._log_alpha = tf.Variable(math.log(initial), trainable=settings.ent_coef == "auto", name="log_ent_coef")
        group = ProcessGroup(self._num_envs)
        weights = [*self._network.trainable_variables, *([self._log_alpha] if self._log_alpha.trainable else [])]
        self._optimizer = CheckedOptimizer(settings.optimizer, weights, settings.max_grad_norm, group)
        self._obs_statistics = ObsStatistics(self._network, group, enabled=config.network.normalize_obs)
        self._reward_normalizer = RewardNormalizer(self._num_envs, settings.gamma, enabled=settings.normalize_reward)
        buffer = ReplayBuffer(
            spec,
            self._num_envs,
            capacity=settings.buffer_size,
            n_step=settings.n_step,
            gamma=settings.gamma,
            total_steps=config.training.total_steps,
        )
        self.memory = ReplayMemory(buffer, self._num_envs, spec.action)
        self.policy = Variables(self._network.variables)
        self.learner = ReplayLearnerState(
            Variables(
                [*self._optimizer.slots, self._log_alpha, self.memory.steps, *self._reward_normalizer.variables],
                target=[variable for critic in self._targets for variable in critic.variables],
            ),
            buffer if settings.save_buffer else None,
        )
        self._act = compile_graph(self._act_graph, config)
        self._update = compile_graph(self._update_graph, config, has_parallel_parts=True)
        self._observe_reward = GraphFunction(self._reward_normalizer.observe)
        self.predict = Predictor(self._network.play)

    def act(self, step: TimeStep) -> NDArray:
        return self.memory.record(step, self._act(self.memory.obs(step)))

    def learn(self, step: TimeStep) -> Metrics | None:
        self.memory.add(step)
        steps = int(self.memory.steps)
        self._obs_statistics.add_step(step.obs, steps // self._num_envs)
        if self._settings.normalize_reward:
            self._observe_reward(step.reward[None], (step.terminated | step.truncated)[None])
        metrics: Metrics | None = None
        for update in range(self._updates_due(steps - self._num_envs), self._updates_due(steps)):
            if self.memory.buffer.can_sample(self._settings.batch_size):
                metrics = self._learn_from_replay(update)
        return metrics

    def _updates_due(self, steps: int) -> int:
        """Number of updates that are due within the first `steps` agent steps of the run."""
        return int(max(steps - self._settings.learning_starts, 0) * self._utd_ratio)

    def _learn_from_replay(self, update: int) -> Metrics:
        """Make update number `update` (from 0) of the run. Returns its metrics."""
        rng = replay_generator(self._seed, update)
        batch = self.memory.sample(rng, self._settings.batch_size)
        metrics: Metrics = self._update(batch, rng.integers(2**63, size=[2, 2]))
        return metrics

    def _act_graph(self, obs: tf.Tensor) -> tf.Tensor:
        """Actions [N, ...]. obs: [N, ...]."""
        network, steps = self._network, self.memory.steps
        seed = noise_seed(self._seed, steps)
        parameters = network.parameters(obs)
        chosen = network.actions.sample(parameters, seed)
        is_random = steps < self._settings.learning_starts
        actions = tf.where(is_random, network.actions.uniform(parameters, seed), chosen)
        steps.assign_add(obs.shape[0])
        return actions

    def _update_graph(self, batch: ReplayBatch, seeds: tf.Tensor) -> dict[str, tf.Tensor]:
        """One update on a batch. seeds: [2, 2] int64, of the noise of the next actions and of those of now."""
        network, actions, alpha = self._network, self._network.actions, tf.exp(self._log_alpha)
        next_obs, obs = stack_frames(batch.next_frames), stack_frames(batch.frames)
        target_min_q = min_q_of(self._targets, network.scaled(next_obs))
        next_value = actions.soft_value(network.parameters(next_obs), target_min_q, alpha, seeds[0]).value
        target = self._reward_normalizer.normalize(batch.reward) + batch.discount * next_value
        scaled = network.scaled(obs)
        with tf.GradientTape() as tape:
            q = [actions.q(critic, scaled, batch.action) for critic in network.critics]
            parameters = network.parameters(obs)
            min_q = with_fixed_weights(min_q_of(network.critics, scaled))
            value, entropy = actions.soft_value(parameters, min_q, alpha, seeds[1])
            target_entropy = self._target_entropy_for(parameters)
            loss, metrics = sac_losses(q, target, value, entropy, self._log_alpha, target_entropy)
        learning_rate = linear_decay(self._settings.learning_rate, self._settings.lr_anneal_steps, self.memory.steps)
        metrics = self._optimizer.step(tape, loss, learning_rate, metrics)
        call_if(tf.math.is_finite(metrics["train/grad_norm"]), self._move_targets)
        return metrics

    def _target_entropy_for(self, parameters: tf.Tensor) -> tf.Tensor | float:
        """The target entropy for a batch: with action masks, that of its legal actions. parameters: [B, P]."""
        if not self._follows_masks:
            return self._target_entropy
        num_legal = tf.reduce_sum(tf.cast(is_legal(parameters), tf.float32), axis=1)
        return _TARGET_ENTROPY_SHARE * tf.reduce_mean(tf.math.log(num_legal))

    def _move_targets(self) -> None:
        """Move the target critics by `tau` towards the critics."""
        for critic, target_critic in zip(self._network.critics, self._targets, strict=True):
            for weight, target_weight in zip(critic.variables, target_critic.variables, strict=True):
                target_weight.assign_add(self._settings.tau * (weight - target_weight))


def _action_kind(spec: EnvSpec) -> ActionKind:
    """Raises ConfigError if SAC does not know actions of this kind."""
    action = spec.action
    if action.num_actions is not None:
        return DiscreteActions(action.num_actions, has_mask=spec.has_mask)
    if action.choices:
        raise ConfigError(
            "sac takes continuous or Discrete actions, but this environment has several discrete actions at once "
            "(MultiDiscrete or MultiBinary); use algorithm paac or ppo"
        )
    if action.unbounded:
        raise ConfigError(
            f"sac needs actions with two finite bounds; in this environment {action.unbounded[0]}. Use algorithm paac "
            "or ppo, or limit the action in the environment"
        )
    return ContinuousActions(action.shape[0])


def _target_entropy(settings: SacConfig, action: ActionSpec) -> float:
    if settings.target_entropy != "auto":
        return settings.target_entropy
    if action.num_actions is None:
        return -float(action.shape[0])
    return _TARGET_ENTROPY_SHARE * math.log(action.num_actions)
