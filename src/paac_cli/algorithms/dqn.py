"""DQN: deep Q-learning from replayed experience (Mnih et al. 2015, doi 10.1038/nature14236).

One update per `steps_per_update` agent steps, on a batch drawn from the latest `buffer_size` transitions:

    target = R + gamma^n * Q_target(s', a')
    loss   = mean( w * huber(target - Q(s, a)) )

`R` is the discounted sum of `n` rewards: of `n_step`, or fewer if the episode ends before. `s'` is the state after
them; a termination replaces `gamma^n` by 0. `a'` maximises `Q_target(s', .)` or, with `double`, `Q(s', .)` (van Hasselt
et al. 2016, arXiv 1509.06461). The weights `w` correct the bias of prioritised sampling (Schaul et al. 2016, arXiv
1511.05952); without priorities they are 1.
"""

from fractions import Fraction
from functools import partial

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics
from paac_cli.algorithms.replay import ReplayBatch, ReplayBuffer
from paac_cli.algorithms.replay_memory import ReplayLearnerState, ReplayMemory, stack_frames
from paac_cli.config.algorithms import DqnConfig
from paac_cli.config.schema import RunConfig
from paac_cli.learning.graphs import compile_graph
from paac_cli.learning.noise import noise_seed
from paac_cli.learning.obs_statistics import ObsStatistics
from paac_cli.learning.optimizers import CheckedOptimizer
from paac_cli.learning.predictor import Predictor
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.schedules import linear_change, linear_decay
from paac_cli.learning.variables import Variables, copy_variables
from paac_cli.networks.q_network import QNetwork, select_q
from paac_cli.seeding import replay_generator, weights_generator
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep


def huber(error: tf.Tensor) -> tf.Tensor:
    """`error^2 / 2` where `|error| <= 1`, else `|error| - 1/2` [B]: the error clipping of Mnih et al. 2015."""
    size = tf.abs(error)
    return tf.where(size <= 1.0, 0.5 * tf.square(error), size - 0.5)


def dqn_target(reward: tf.Tensor, discount: tf.Tensor, target_q: tf.Tensor, selector_q: tf.Tensor) -> tf.Tensor:
    """`reward + discount * target_q(s', argmax_a selector_q(s', a))` [B].

    reward, discount: [B]; target_q, selector_q: [B, A], of the next observations.
    """
    best_action = tf.argmax(selector_q, axis=1, output_type=tf.int32)
    return reward + discount * select_q(target_q, best_action)


def dqn_loss(value: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss [] of a batch, and its diagnostics. value: [B], Q(s, a); target, weight: [B]."""
    loss = tf.reduce_mean(weight * huber(target - value))
    return loss, {"train/loss": loss, "train/q_mean": tf.reduce_mean(value)}


class Dqn:
    """The DQN agent. See the module's docstring for the algorithm and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec) -> None:
        assert isinstance(config.algorithm, DqnConfig)
        self._settings = settings = config.algorithm
        self._seed, self._num_envs = config.seed, config.sampling.num_envs
        self._steps_per_update = Fraction(str(settings.steps_per_update))  # exact: 7 / 0.07 < 100 in binary

        def make_network() -> QNetwork:
            return QNetwork(config.network, spec, weights_generator(config.seed), dueling=settings.dueling)

        self._network, self._target = make_network(), make_network()
        group = ProcessGroup(self._num_envs)
        self._optimizer = CheckedOptimizer(
            settings.optimizer, self._network.trainable_variables, settings.max_grad_norm, group
        )
        self._obs_statistics = ObsStatistics(self._network, group, enabled=config.network.normalize_obs)
        buffer = ReplayBuffer(
            spec,
            self._num_envs,
            capacity=settings.buffer_size,
            n_step=settings.n_step,
            gamma=settings.gamma,
            alpha=settings.prioritized_alpha,
            total_steps=config.training.total_steps,
        )
        self.memory = ReplayMemory(buffer, self._num_envs, spec.action)
        self.policy = Variables(self._network.variables)
        self.learner = ReplayLearnerState(
            Variables([*self._optimizer.slots, self.memory.steps], target=self._target.variables),
            buffer if settings.save_buffer else None,
        )
        self._act = compile_graph(self._act_graph, config)
        self._update = compile_graph(self._update_graph, config)
        self.predict = Predictor(partial(self._network.play, epsilon=settings.epsilon_end))

    def act(self, step: TimeStep) -> NDArray:
        return self.memory.record(step, self._act(self.memory.obs(step)))

    def learn(self, step: TimeStep) -> Metrics | None:
        self.memory.add(step)
        settings, steps = self._settings, int(self.memory.steps)
        steps_before = steps - self._num_envs
        self._obs_statistics.add_step(step.obs, steps // self._num_envs)
        metrics: Metrics | None = None
        for update in range(self._updates_due(steps_before), self._updates_due(steps)):
            if self.memory.buffer.can_sample(settings.batch_size):
                metrics = self._learn_from_replay(update)
        if steps // settings.target_update_steps > steps_before // settings.target_update_steps:
            copy_variables(self._network.variables, self._target.variables)
        return metrics

    def _updates_due(self, steps: int) -> int:
        """Number of updates that are due within the first `steps` agent steps of the run."""
        return int(max(steps - self._settings.learning_starts, 0) / self._steps_per_update)

    def _learn_from_replay(self, update: int) -> Metrics:
        """Make update number `update` (from 0) of the run. Returns its metrics."""
        rng = replay_generator(self._seed, update)
        batch = self.memory.sample(rng, self._settings.batch_size, self._beta)
        metrics: Metrics
        metrics, error = self._update(batch)
        if self._settings.prioritized_alpha:
            self.memory.buffer.set_priorities(batch.indices, error.numpy())
        return metrics

    @property
    def _beta(self) -> float:
        start, anneal_steps = self._settings.prioritized_beta, self._settings.prioritized_beta_steps
        return float(linear_change(start, 1.0, anneal_steps, self.memory.steps)) if anneal_steps else start

    @property
    def _epsilon(self) -> tf.Tensor:
        settings = self._settings
        return linear_change(
            settings.epsilon_start, settings.epsilon_end, settings.epsilon_anneal_steps, self.memory.steps
        )

    def _act_graph(self, obs: tf.Tensor) -> tf.Tensor:
        """Actions [N]. obs: [N, ...]."""
        seed = noise_seed(self._seed, self.memory.steps)
        actions = self._network.epsilon_greedy(self._network(obs), self._epsilon, seed)
        self.memory.steps.assign_add(obs.shape[0])
        return actions

    def _update_graph(self, batch: ReplayBatch) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """One optimiser step on a batch. Returns the metrics, and the TD errors [B]."""
        settings = self._settings
        next_obs = stack_frames(batch.next_frames)
        target_q = self._target(next_obs)
        selector_q = self._network(next_obs) if settings.double else target_q
        target = dqn_target(batch.reward, batch.discount, target_q, selector_q)
        with tf.GradientTape() as tape:
            value = select_q(self._network(stack_frames(batch.frames)), batch.action)
            loss, metrics = dqn_loss(value, target, batch.weight)
        learning_rate = linear_decay(settings.learning_rate, settings.lr_anneal_steps, self.memory.steps)
        metrics["train/epsilon"] = self._epsilon
        return self._optimizer.step(tape, loss, learning_rate, metrics), target - value
