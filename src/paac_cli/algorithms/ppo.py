"""PPO: proximal policy optimisation with a clipped objective (Schulman et al. 2017, arXiv 1707.06347).

Every `T` steps, `num_epochs` times over all `N * T` of them in minibatches:

    ratio = pi(a|s) / pi_old(a|s)
    loss  = mean( -min(ratio * A, clip(ratio, 1 - clip_coef, 1 + clip_coef) * A)        (eq. 7)
                  - ent_coef * H(pi(.|s)) + vf_coef * (R - V(s))^2 )

with `A` the generalised advantage estimates under the parameters that chose the actions, and
`R = A + V_old(s)`.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics, Predictor
from paac_cli.config.algorithms import PpoConfig
from paac_cli.config.schema import RunConfig
from paac_cli.learning.aliases import TensorAliases
from paac_cli.learning.graphs import compiled
from paac_cli.learning.minibatches import minibatches, weights_generator
from paac_cli.learning.optimizers import Descent, linear_schedule
from paac_cli.learning.returns import advantages, explained_variance, normalized
from paac_cli.learning.rollout_memory import OBSERVED_EVERY, Acted, FinalValues, merged
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.distributions import Distribution
from paac_cli.networks.normalizer import RewardNormalizer, RunningMoments
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

_ADAPT, _MIN_LEARNING_RATE = 1.5, 1e-6  # of the rate that follows the KL divergence, as in rl_games


class Batch(NamedTuple):
    """Steps to learn from, all `[B, ...]`, as they were under the parameters that chose the actions."""

    obs: tf.Tensor
    action: tf.Tensor
    log_prob: tf.Tensor
    value: tf.Tensor
    advantage: tf.Tensor


def ppo_loss(
    config: PpoConfig,
    ent_coef: tf.Tensor | float,
    distribution: Distribution,
    parameters: tf.Tensor,
    value: tf.Tensor,
    value_unit: tf.Tensor | float,
    batch: Batch,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss [] of a batch, and its parts.

    parameters: [B, P] of the policy by now; value: [B] by now; value_unit: [], what value errors are measured in.
    """
    advantage, target = batch.advantage, batch.advantage + batch.value
    explained = explained_variance(advantage, target)
    if config.normalize_advantage:
        advantage = normalized(advantage)
    log_ratio = distribution.log_prob(parameters, batch.action) - batch.log_prob
    ratio = tf.exp(log_ratio)
    clipped = tf.clip_by_value(ratio, 1.0 - config.clip_coef, 1.0 + config.clip_coef)
    policy_loss = -tf.reduce_mean(tf.minimum(ratio * advantage, clipped * advantage))

    error = tf.square((target - value) / value_unit)
    if config.clip_value is not None:
        reach = config.clip_value * value_unit
        near = batch.value + tf.clip_by_value(value - batch.value, -reach, reach)
        error = tf.maximum(error, tf.square((target - near) / value_unit))
    value_loss = tf.reduce_mean(error)

    entropy = tf.reduce_mean(distribution.entropy(parameters))
    return policy_loss - ent_coef * entropy + config.vf_coef * value_loss, {
        "train/policy_loss": policy_loss,
        "train/value_loss": value_loss,
        "train/entropy": entropy,
        "train/explained_variance": explained,
        "train/approx_kl": tf.reduce_mean(ratio - 1.0 - log_ratio),  # Schulman 2020, "Approximating KL divergence"
        "train/clip_fraction": tf.reduce_mean(tf.cast(tf.abs(ratio - 1.0) > config.clip_coef, tf.float32)),
    }


class Ppo:
    """The agent: see the module's docstring, and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec) -> None:
        assert isinstance(config.algorithm, PpoConfig)
        self._config = config.algorithm
        self._seed = config.seed
        num_steps, num_envs = self._config.num_steps, config.sampling.num_envs
        self._values = RunningMoments((), "value_normalizer") if self._config.normalize_value else None
        self._network = ActorCritic(config.network, spec, weights_generator(config.seed), self._values)
        self._descent = Descent(self._config.optimizer, self._network.trainable_variables, self._config.max_grad_norm)
        self._rewards = RewardNormalizer(num_envs, self._config.gamma, enabled=self._config.normalize_reward)
        self._steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")
        self._rate = tf.Variable(self._config.learning_rate, trainable=False, name="learning_rate")
        self.policy = Variables(self._network.variables)
        self.learner = Variables([*self._descent.slots, self._steps, self._rate, *self._rewards.variables])
        self._tensor = TensorAliases()
        self._actions = np.zeros((num_steps, num_envs, *spec.action.shape), spec.action.dtype)
        self._acted = Acted(num_steps)  # log-probabilities and values
        self._final_values = FinalValues(num_steps, num_envs, self._network.values)
        self._act = compiled(self._act_graph, config)
        self.predict = Predictor(self._network.play)
        self._prepare = compiled(self._prepare_graph, config)
        self._update = compiled(self._update_graph, config)
        self._adapt = tf.function(self._adapt_graph)
        self._observes = config.network.normalize_obs
        self._observe = tf.function(lambda obs: self._network.observe(merged(obs)))

    def act(self, step: TimeStep) -> NDArray:
        row = step.slot % len(self._actions)
        action, log_prob, value = self._act(self._tensor(step.obs))
        self._acted.note(step, (log_prob, value))
        self._actions[row, step.envs] = action.numpy()
        return self._actions[row, step.envs]

    def learn(self, step: TimeStep) -> Metrics | None:
        self._final_values.note(step)
        if step.slot < len(self._actions):
            return None
        config, rollout = self._config, step.rollout
        batch = self._prepare(
            self._tensor(rollout.obs),
            self._actions,
            *self._acted.merged(),
            rollout.reward,
            rollout.terminated,
            rollout.truncated,
            self._final_values.values,
        )
        metrics: Metrics = {}
        epochs = minibatches(
            self._seed,
            int(self._steps),
            size=rollout.reward.size,
            num_epochs=config.num_epochs,
            num_minibatches=config.num_minibatches,
        )
        for epoch in epochs:
            for rows in epoch:
                metrics = self._update(batch, rows)
            if config.stops_at_kl is not None and float(metrics["train/approx_kl"]) > 1.5 * config.stops_at_kl:
                break
        if config.adapts_to_kl is not None:
            self._adapt(metrics["train/approx_kl"], config.adapts_to_kl)
        if self._observes:
            self._observe(rollout.obs[-1::-OBSERVED_EVERY])
        return metrics

    def rewind(self, steps: int) -> None:
        self._steps.assign(steps)

    def evidence(self) -> dict[str, NDArray]:
        return {"action": self._actions, "final_value": self._final_values.values}

    def _act_graph(self, obs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        parameters, value = self._network(obs)
        distribution = self._network.distribution
        action = distribution.sample(parameters, tf.stack([tf.constant(self._seed, tf.int64), self._steps]))
        self._steps.assign_add(obs.shape[0])
        return action, distribution.log_prob(parameters, action), value

    def _prepare_graph(
        self,
        obs: tf.Tensor,
        action: tf.Tensor,
        log_prob: tf.Tensor,
        value: tf.Tensor,
        reward: tf.Tensor,
        terminated: tf.Tensor,
        truncated: tf.Tensor,
        final_value: tf.Tensor,
    ) -> Batch:
        """obs: [T+1, N, ...]; action: [T, N, ...]; log_prob, value: [T * N]; the others: [T, N].

        The observations go to the device here, once.
        """
        reward = self._rewards(reward, terminated | truncated)
        advantage = advantages(
            reward=reward,
            value=tf.reshape(value, reward.shape),
            bootstrap=self._network.values(obs[-1]),
            final_value=final_value,
            terminated=terminated,
            truncated=truncated,
            gamma=self._config.gamma,
            gae_lambda=self._config.gae_lambda,
        )
        advantage = merged(advantage)
        if self._values is not None:
            self._values.update(advantage + value)
        return Batch(merged(obs[:-1]), merged(action), log_prob, value, advantage)

    def _update_graph(self, batch: Batch, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step of the optimiser, on these rows [B] of the batch."""
        config = self._config
        batch = Batch(*(tf.gather(array, rows) for array in batch))
        ent_coef = linear_schedule(config.ent_coef, config.ent_anneal_steps, self._steps)
        unit = 1.0 if self._values is None else self._values.deviation
        with tf.GradientTape() as tape:
            parameters, value = self._network(batch.obs)
            loss, metrics = ppo_loss(config, ent_coef, self._network.distribution, parameters, value, unit, batch)
        rate = self._rate if config.adapts_to_kl is not None else self._scheduled_rate()
        norm = self._descent.step(tape, loss, rate)
        return {**metrics, "train/grad_norm": norm, "train/learning_rate": rate}

    def _scheduled_rate(self) -> tf.Tensor:
        return linear_schedule(self._config.learning_rate, self._config.lr_anneal_steps, self._steps)

    def _adapt_graph(self, kl: tf.Tensor, target: float) -> None:
        """Let the learning rate follow how far, by its last minibatch, an update has moved the policy."""
        rate = tf.where(kl > 2.0 * target, self._rate / _ADAPT, self._rate)
        rate = tf.where(kl < 0.5 * target, self._rate * _ADAPT, rate)
        self._rate.assign(tf.clip_by_value(rate, _MIN_LEARNING_RATE, self._config.max_learning_rate))
