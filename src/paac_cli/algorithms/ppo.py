"""PPO: proximal policy optimisation with a clipped objective (Schulman et al. 2017, arXiv 1707.06347).

After every `T` steps of `N` environments, `num_epochs` passes over all `T * N` transitions, in minibatches:

    ratio = pi(a|s) / pi_old(a|s)
    loss  = mean( -min(ratio * A, clip(ratio, 1 - clip_coef, 1 + clip_coef) * A)        (eq. 7)
                  - ent_coef * H(pi(.|s)) + vf_coef * (R - V(s))^2 )

`pi_old` and `V_old` are those of the weights that chose the actions. `A` is the generalised advantage estimate with
`V_old`, and `R = A + V_old(s)`.
"""

from typing import NamedTuple

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics
from paac_cli.config.algorithms import MIN_LEARNING_RATE, PpoConfig
from paac_cli.config.schema import RunConfig
from paac_cli.learning.graphs import compile_graph
from paac_cli.learning.minibatches import minibatches
from paac_cli.learning.noise import noise_seed
from paac_cli.learning.obs_statistics import ObsStatistics
from paac_cli.learning.optimizers import CheckedOptimizer
from paac_cli.learning.predictor import Predictor
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.returns import AdvantageEstimator, Estimates, explained_variance, normalized
from paac_cli.learning.rollout_memory import RolloutBatch, RolloutMemory, merge_time
from paac_cli.learning.schedules import linear_decay
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.normalizer import RunningMoments
from paac_cli.networks.recurrent import Sequences, States
from paac_cli.seeding import weights_generator
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

_STOP_AT = 1.5  # on_kl = stop: the limit of the KL divergence, in multiples of target_kl, as in Stable-Baselines3
_RATE_FACTOR = 1.5  # on_kl = adapt: by which the learning rate changes, as in rl_games


class PpoBatch(NamedTuple):
    """`B` transitions, and what was computed with the weights that chose their actions."""

    sequences: Sequences  #: of `B` observations
    action: tf.Tensor  #: [B, ...]
    log_prob: tf.Tensor  #: [B] float32, log pi_old(a|s)
    value: tf.Tensor  #: [B] float32, V_old(s); with `normalize_value`, by the statistics of now


def clipped_policy_loss(
    log_prob: tf.Tensor, old_log_prob: tf.Tensor, advantage: tf.Tensor, *, clip_coef: float
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss [] of the policy (eq. 7), and its diagnostics.

    log_prob: [B], log pi(a|s); old_log_prob: [B], log pi_old(a|s); advantage: [B], A.
    """
    log_ratio = log_prob - old_log_prob
    ratio = tf.exp(log_ratio)
    clipped_ratio = tf.clip_by_value(ratio, 1.0 - clip_coef, 1.0 + clip_coef)
    loss = -tf.reduce_mean(tf.minimum(ratio * advantage, clipped_ratio * advantage))
    return loss, {
        "train/approx_kl": tf.reduce_mean(ratio - 1.0 - log_ratio),  # Schulman 2020, "Approximating KL divergence"
        "train/clip_fraction": tf.reduce_mean(tf.cast(tf.abs(ratio - 1.0) > clip_coef, tf.float32)),
    }


def clipped_value_loss(
    value: tf.Tensor,
    old_value: tf.Tensor,
    target: tf.Tensor,
    *,
    clip_value: float | None,
    unit: tf.Tensor | float = 1.0,
) -> tf.Tensor:
    """The mean squared error [] of the values; with `clip_value`, of the worse of the value and the clipped value.

    value: [B], V(s); old_value: [B], V_old(s); target: [B], R. unit: [], in which errors and `clip_value` are measured.
    clip_value: moving a value further than this from V_old(s) does not lower the loss; None = no clipping.
    """
    squared_error = tf.square((target - value) / unit)
    if clip_value is not None:
        max_change = clip_value * unit
        clipped_value = old_value + tf.clip_by_value(value - old_value, -max_change, max_change)
        squared_error = tf.maximum(squared_error, tf.square((target - clipped_value) / unit))
    return tf.reduce_mean(squared_error)


def ppo_loss(
    policy_loss: tf.Tensor,
    value_loss: tf.Tensor,
    entropy: tf.Tensor,
    *,
    ent_coef: tf.Tensor | float,
    vf_coef: float,
) -> tf.Tensor:
    """The loss [] of a batch; all arguments []."""
    return policy_loss - ent_coef * entropy + vf_coef * value_loss


def rate_for_kl(rate: tf.Tensor, kl: tf.Tensor, *, target_kl: float, max_rate: float) -> tf.Tensor:
    """The learning rate [] after an update that has changed the policy by the KL divergence `kl` [].

    rate / 1.5 if kl > 2 * target_kl; rate * 1.5 if kl < target_kl / 2; but at least 1e-6 and at most `max_rate`.
    """
    adapted = tf.where(kl > 2.0 * target_kl, rate / _RATE_FACTOR, rate)
    adapted = tf.where(kl < 0.5 * target_kl, rate * _RATE_FACTOR, adapted)
    return tf.clip_by_value(adapted, MIN_LEARNING_RATE, max_rate)


class Ppo:
    """The PPO agent. See the module's docstring for the algorithm and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec, group: ProcessGroup | None = None) -> None:
        assert isinstance(config.algorithm, PpoConfig)
        self._settings = settings = config.algorithm
        group = group or ProcessGroup(config.sampling.num_envs)
        self._seed, self._group = config.seed, group
        self._value_moments = RunningMoments((), "value_normalizer") if settings.normalize_value else None
        self._network = ActorCritic(config.network, spec, weights_generator(config.seed), self._value_moments)
        self._optimizer = CheckedOptimizer(
            settings.optimizer, self._network.trainable_variables, settings.max_grad_norm, group
        )
        self._adapted_rate = tf.Variable(settings.learning_rate, trainable=False, name="learning_rate")
        self._estimator = AdvantageEstimator(
            group, gamma=settings.gamma, gae_lambda=settings.gae_lambda, normalize_reward=settings.normalize_reward
        )
        self._obs_statistics = ObsStatistics(self._network, group, enabled=config.network.normalize_obs)
        self.memory = RolloutMemory(
            settings.num_steps, group, spec.action, self._network.values, self._network.state_size
        )
        self.policy = Variables(self._network.variables)
        self.learner = Variables(
            [*self._optimizer.slots, *self.memory.variables, self._adapted_rate, *self._estimator.variables]
        )
        self._act = compile_graph(self._act_graph, config)
        self._prepare = compile_graph(self._prepare_graph, config)
        self._update = compile_graph(self._update_graph, config)
        self._adapt_rate = compile_graph(self._adapt_rate_graph, config)
        self.predict = Predictor(self._network.play, self._network.state_size)

    def act(self, step: TimeStep) -> NDArray:
        actions, log_prob, value, state = self._act(self.memory.obs(step), self.memory.state(step))
        return self.memory.record(step, actions, (log_prob, value), state)

    def learn(self, step: TimeStep) -> Metrics | None:
        rollout = self.memory.add(step)
        if rollout is None:
            return None
        settings = self._settings
        batch, estimates = self._prepare(rollout)
        metrics: Metrics = {}
        for epoch in minibatches(
            self._seed,
            int(self.memory.steps),
            num_steps=settings.num_steps,
            num_envs=self._group.num_envs,
            num_epochs=settings.num_epochs,
            num_minibatches=settings.num_minibatches,
            whole_envs=self._network.state_size > 0,
        ):
            for rows in epoch:
                metrics = self._update(batch, estimates, rows)
            if settings.stops_at_kl is not None and float(metrics["train/approx_kl"]) > _STOP_AT * settings.stops_at_kl:
                break
        if settings.adapts_to_kl is not None:
            self._adapt_rate(metrics["train/approx_kl"])
        self._obs_statistics.add_rollout(step.rollout.obs)
        return metrics

    def _act_graph(self, obs: tf.Tensor, state: States) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, States]:
        """Actions [N, ...], their log-probabilities [N], values [N], and the next states [N, S].

        obs: [N, ...]; state: [N, S].
        """
        parameters, value, state = self._network.step(obs, state)
        distribution = self._network.distribution
        seed = noise_seed(self._seed, self.memory.steps)
        actions = self._group.sample(lambda rows: distribution.sample(rows, seed), parameters)
        self.memory.steps.assign_add(self._group.count(obs.shape[0]))
        return actions, distribution.log_prob(parameters, actions), value, state

    def _prepare_graph(self, rollout: RolloutBatch) -> tuple[PpoBatch, Estimates]:
        """The own transitions [T * n] of a rollout, and the estimates [T * N] of all.

        Copies the observations to the device, once.
        """
        log_prob, value = rollout.kept
        estimates = self._estimator(rollout, value, self._network.values(rollout.obs[-1], rollout.last_state))
        estimates = Estimates(*map(merge_time, estimates))
        if (moments := self._value_moments) is not None:
            output = (value - moments.mean) / moments.deviation
            moments.update(estimates.advantage + estimates.value)
            # The values that the network gives with the new statistics: `clip_value` must not limit their change.
            value = output * moments.deviation + moments.mean
        return PpoBatch(rollout.sequences, merge_time(rollout.action), log_prob, value), estimates

    def _update_graph(self, batch: PpoBatch, estimates: Estimates, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """One optimiser step on the minibatch that consists of `rows` [B] of all transitions. Returns the metrics."""
        settings, steps = self._settings, self.memory.steps
        own = self._group.own_rows(rows, at_least=settings.num_steps)
        sequences, *arrays = batch
        batch = PpoBatch(sequences.gather(own.local), *(tf.gather(array, own.local) for array in arrays))
        advantage, old_value = (tf.gather(array, rows) for array in estimates)
        target = advantage + old_value
        explained = explained_variance(advantage, target)
        if settings.normalize_advantage:
            advantage = normalized(advantage)
        with tf.GradientTape() as tape:
            parameters, value = self._network.unroll(batch.sequences)
            distribution = self._network.distribution
            policy_loss, metrics = clipped_policy_loss(
                distribution.log_prob(parameters, batch.action),
                batch.log_prob,
                own.of(advantage),
                clip_coef=settings.clip_coef,
            )
            value_loss = clipped_value_loss(
                value,
                batch.value,
                own.of(target),
                clip_value=settings.clip_value,
                unit=1.0 if self._value_moments is None else self._value_moments.deviation,
            )
            entropy = tf.reduce_mean(distribution.entropy(parameters))
            ent_coef = linear_decay(settings.ent_coef, settings.ent_anneal_steps, steps)
            loss = ppo_loss(policy_loss, value_loss, entropy, ent_coef=ent_coef, vf_coef=settings.vf_coef)
        if settings.adapts_to_kl is not None:
            learning_rate = tf.convert_to_tensor(self._adapted_rate)
        else:
            learning_rate = linear_decay(settings.learning_rate, settings.lr_anneal_steps, steps)
        metrics = {
            "train/policy_loss": policy_loss,
            "train/value_loss": value_loss,
            "train/entropy": entropy,
            **metrics,
            "train/explained_variance": explained,
        }
        return self._optimizer.step(tape, loss, learning_rate, metrics, own.share)

    def _adapt_rate_graph(self, kl: tf.Tensor) -> None:
        settings = self._settings
        assert settings.adapts_to_kl is not None
        rate = rate_for_kl(self._adapted_rate, kl, target_kl=settings.adapts_to_kl, max_rate=settings.max_learning_rate)
        self._adapted_rate.assign(rate)
