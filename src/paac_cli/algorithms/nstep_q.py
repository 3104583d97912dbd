"""Parallel n-step Q-learning and Sarsa (Mnih et al. 2016, arXiv 1602.01783, algorithms 1 and 2), in lock-step.

Every `T` steps, `num_epochs` times over all `N * T` of them in minibatches:

    loss = mean( (R_t - Q(s_t, a_t))^2 / 2 )
    R_t  = r_t + gamma * ( q_lambda * R_{t+1} + (1 - q_lambda) * v(s_{t+1}) ),   R_T = v(s_T)

with `v(s) = max_a Q(s, a)` (q_learning) or `Q(s_t, a_t)` of the action taken (sarsa; where none has been
taken yet, the mean over what epsilon-greedy would take), under the parameters that chose the actions or
under a target network. q_lambda = 1 is the n-step return of the paper; with LayerNorm, no target network
and q_lambda between, it is PQN (Gallici et al. 2024, arXiv 2407.04811).
"""

from functools import partial

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics, Predictor
from paac_cli.config.algorithms import NstepQConfig
from paac_cli.config.schema import RunConfig
from paac_cli.learning.aliases import TensorAliases
from paac_cli.learning.graphs import compiled
from paac_cli.learning.minibatches import minibatches, weights_generator
from paac_cli.learning.optimizers import Descent, between, linear_schedule
from paac_cli.learning.returns import advantages
from paac_cli.learning.rollout_memory import OBSERVED_EVERY, Acted, FinalValues, merged
from paac_cli.learning.variables import Variables, copy_variables
from paac_cli.networks.normalizer import RewardNormalizer
from paac_cli.networks.q_network import QNetwork, epsilon_greedy, value_of
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep


class NstepQ:
    """The agent: see the module's docstring, and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec) -> None:
        assert isinstance(config.algorithm, NstepQConfig)
        self._config = config.algorithm
        self._seed = config.seed
        num_steps, num_envs = self._config.num_steps, config.sampling.num_envs
        self._network = QNetwork(config.network, spec, weights_generator(config.seed))
        self._target: QNetwork | None = None
        if self._config.target_update_steps:
            self._target = QNetwork(config.network, spec, weights_generator(config.seed))
        self._descent = Descent(self._config.optimizer, self._network.trainable_variables, self._config.max_grad_norm)
        self._rewards = RewardNormalizer(num_envs, self._config.gamma, enabled=self._config.normalize_reward)
        self._steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")
        self.policy = Variables(self._network.variables)
        self.learner = Variables(
            [*self._descent.slots, self._steps, *self._rewards.variables],
            target=self._target.variables if self._target else (),
        )
        self._tensor = TensorAliases()
        self._actions = np.zeros((num_steps, num_envs), np.int32)
        self._values = Acted(num_steps)
        self._final_values = FinalValues(num_steps, num_envs, self._next_values)
        self._act = compiled(self._act_graph, config)
        self.predict = Predictor(partial(self._network.play, epsilon=self._config.epsilon_end))
        self._targets = compiled(self._targets_graph, config)
        self._update = compiled(self._update_graph, config)
        self._observes = config.network.normalize_obs
        self._observe = tf.function(lambda obs: self._network.observe(merged(obs)))

    def act(self, step: TimeStep) -> NDArray:
        row = step.slot % len(self._actions)
        action, value = self._act(self._tensor(step.obs))
        self._values.note(step, (value,))
        self._actions[row, step.envs] = action.numpy()
        return self._actions[row, step.envs]

    def learn(self, step: TimeStep) -> Metrics | None:
        self._final_values.note(step)
        if step.slot < len(self._actions):
            return None
        config, rollout, steps = self._config, step.rollout, int(self._steps)
        obs, targets = self._targets(
            self._tensor(rollout.obs),
            *self._values.merged(),
            rollout.reward,
            rollout.terminated,
            rollout.truncated,
            self._final_values.values,
        )
        actions = tf.constant(self._actions.ravel())
        metrics: Metrics = {}
        for epoch in minibatches(
            self._seed,
            steps,
            size=rollout.reward.size,
            num_epochs=config.num_epochs,
            num_minibatches=config.num_minibatches,
        ):
            for rows in epoch:
                metrics = self._update(obs, actions, targets, rows)
        if self._observes:
            self._observe(rollout.obs[-1::-OBSERVED_EVERY])
        if self._target is not None:
            before = steps - rollout.reward.size
            if steps // config.target_update_steps > before // config.target_update_steps:
                copy_variables(self._network.variables, self._target.variables)
        return metrics

    def evidence(self) -> dict[str, NDArray]:
        return {"action": self._actions, "final_value": self._final_values.values}

    @property
    def _epsilon(self) -> tf.Tensor:
        config = self._config
        return between(config.epsilon_start, config.epsilon_end, config.epsilon_anneal_steps, self._steps)

    def rewind(self, steps: int) -> None:
        self._steps.assign(steps)

    def _act_graph(self, obs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Actions [N], and what the present states are worth [N]."""
        q = self._network(obs)
        actions = epsilon_greedy(q, self._epsilon, tf.stack([tf.constant(self._seed, tf.int64), self._steps]))
        self._steps.assign_add(obs.shape[0])
        if self._target is not None:
            q = self._target(obs)
        is_sarsa = self._config.rule == "sarsa"
        return actions, value_of(q, actions) if is_sarsa else tf.reduce_max(q, axis=1)

    def _next_values(self, obs: tf.Tensor) -> tf.Tensor:
        """What states are worth [B] in which nothing has been done yet."""
        q = (self._target or self._network)(obs)
        best = tf.reduce_max(q, axis=1)
        if self._config.rule == "q_learning":
            return best
        return (1.0 - self._epsilon) * best + self._epsilon * tf.reduce_mean(q, axis=1)

    def _targets_graph(
        self,
        obs: tf.Tensor,
        value: tf.Tensor,
        reward: tf.Tensor,
        terminated: tf.Tensor,
        truncated: tf.Tensor,
        final_value: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """obs: [T+1, N, ...]; value: [T * N]; the others: [T, N]. Returns observations and returns [T * N, ...]."""
        reward, value = self._rewards(reward, terminated | truncated), tf.reshape(value, reward.shape)
        # R - v is the lambda-weighted sum of the errors of v: the same sum as an advantage's.
        advantage = advantages(
            reward=reward,
            value=value,
            bootstrap=self._next_values(obs[-1]),
            final_value=final_value,
            terminated=terminated,
            truncated=truncated,
            gamma=self._config.gamma,
            gae_lambda=self._config.q_lambda,
        )
        return merged(obs[:-1]), merged(advantage + value)

    def _update_graph(
        self, obs: tf.Tensor, actions: tf.Tensor, targets: tf.Tensor, rows: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """One step of the optimiser, on these rows [B] of all."""
        config = self._config
        obs, actions, targets = (tf.gather(array, rows) for array in (obs, actions, targets))
        with tf.GradientTape() as tape:
            q = value_of(self._network(obs), actions)
            loss = 0.5 * tf.reduce_mean(tf.square(targets - q))
        rate = linear_schedule(config.learning_rate, config.lr_anneal_steps, self._steps)
        norm = self._descent.step(tape, loss, rate)
        return {
            "train/value_loss": 2.0 * loss,
            "train/q_mean": tf.reduce_mean(q),
            "train/epsilon": self._epsilon,
            "train/grad_norm": norm,
            "train/learning_rate": rate,
        }
