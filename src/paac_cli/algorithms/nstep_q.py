"""Parallel n-step Q-learning and Sarsa (Mnih et al. 2016, arXiv 1602.01783, section 4), in lock-step.

After every `T` steps of `N` environments, `num_epochs` passes over all `T * N` transitions, in minibatches:

    loss = mean( (R_t - Q(s_t, a_t))^2 / 2 )
    R_t  = r_t + gamma * ( q_lambda * R_{t+1} + (1 - q_lambda) * v(s_{t+1}) ),   R_T = v(s_T)

    v(s) = max_a Q(s, a)      rule: q_learning
    v(s) = Q(s, a)            rule: sarsa, if action `a` was taken in `s`
    v(s) = E_a[ Q(s, a) ]     rule: sarsa, if no action was taken: the mean under the epsilon-greedy policy

No action is taken in `s_T`, nor in the last state of a truncated episode, whose value replaces `R_{t+1}` and
`v(s_{t+1})`. Termination replaces both by 0.

`v` comes from the weights that chose the actions or, with `target_update_steps`, from a target network.
q_lambda = 1 gives the n-step return of the paper. With LayerNorm, no target network and q_lambda between 0 and 1 the
algorithm is PQN (Gallici et al. 2024, arXiv 2407.04811).

With `hl_gauss`, `Q` is the mean of a distribution over bins, and the loss is its cross-entropy with a Gaussian around
`R_t` (Farebrother et al. 2024, arXiv 2403.03950); see `networks/value_bins.py`.
"""

from functools import partial

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics
from paac_cli.config.algorithms import NstepQConfig
from paac_cli.config.schema import RunConfig
from paac_cli.learning.graphs import compile_graph
from paac_cli.learning.minibatches import minibatches
from paac_cli.learning.noise import noise_seed
from paac_cli.learning.obs_statistics import ObsStatistics
from paac_cli.learning.optimizers import CheckedOptimizer
from paac_cli.learning.predictor import Predictor
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.returns import AdvantageEstimator
from paac_cli.learning.rollout_memory import RolloutBatch, RolloutMemory, merge_time
from paac_cli.learning.schedules import linear_change, linear_decay
from paac_cli.learning.variables import Variables, copy_variables
from paac_cli.networks.q_network import QNetwork, select_q
from paac_cli.networks.recurrent import Sequences, States
from paac_cli.networks.value_bins import ValueBins
from paac_cli.seeding import weights_generator
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep


def hl_gauss_loss(
    logits: tf.Tensor, action: tf.Tensor, target: tf.Tensor, bins: ValueBins
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss [] of a batch whose values are distributions over bins, and its diagnostics.

    logits: [B, A, K]; action: [B] int32; target: [B], the returns.
    """
    chosen = select_q(logits, action)
    value = bins.mean(chosen)
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=bins.probabilities(target), logits=chosen))
    return loss, {
        "train/value_loss": tf.reduce_mean(tf.square(target - value)),
        "train/cross_entropy": loss,
        "train/outside_range": tf.reduce_mean(tf.cast(bins.is_outside(target), tf.float32)),
        "train/q_mean": tf.reduce_mean(value),
    }


def nstep_q_loss(q: tf.Tensor, action: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss [] of a batch, and its diagnostics. q: [B, A], Q(s, .); action: [B] int32; target: [B], the returns."""
    value = select_q(q, action)
    loss = 0.5 * tf.reduce_mean(tf.square(target - value))
    return loss, {"train/value_loss": 2.0 * loss, "train/q_mean": tf.reduce_mean(value)}


class NstepQ:
    """The n-step Q-learning agent. See the module's docstring for the algorithm and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec, group: ProcessGroup | None = None) -> None:
        assert isinstance(config.algorithm, NstepQConfig)
        self._settings = settings = config.algorithm
        group = group or ProcessGroup(config.sampling.num_envs)
        self._seed, self._group = config.seed, group
        self._bins = ValueBins(settings.hl_gauss) if settings.hl_gauss else None

        def make_network() -> QNetwork:
            rng = weights_generator(config.seed)
            return QNetwork(config.network, spec, rng, dueling=settings.dueling, bins=self._bins)

        self._network = make_network()
        self._target = make_network() if settings.target_update_steps else None
        self._optimizer = CheckedOptimizer(
            settings.optimizer, self._network.trainable_variables, settings.max_grad_norm, group
        )
        # R - v is the lambda-weighted sum of the TD errors of v, which is the generalised advantage estimate.
        self._estimator = AdvantageEstimator(
            group, gamma=settings.gamma, gae_lambda=settings.q_lambda, normalize_reward=settings.normalize_reward
        )
        self._obs_statistics = ObsStatistics(self._network, group, enabled=config.network.normalize_obs)
        self.memory = RolloutMemory(
            settings.num_steps, group, spec.action, self._bootstrap_value, self._network.state_size
        )
        self.policy = Variables(self._network.variables)
        self.learner = Variables(
            [*self._optimizer.slots, *self.memory.variables, *self._estimator.variables],
            target=self._target.variables if self._target else (),
        )
        self._act = compile_graph(self._act_graph, config)
        self._prepare = compile_graph(self._prepare_graph, config)
        self._update = compile_graph(self._update_graph, config)
        self.predict = Predictor(partial(self._network.play, epsilon=settings.epsilon_end), self._network.state_size)

    def act(self, step: TimeStep) -> NDArray:
        actions, value, state = self._act(self.memory.obs(step), self.memory.state(step))
        return self.memory.record(step, actions, (value,), state)

    def learn(self, step: TimeStep) -> Metrics | None:
        rollout = self.memory.add(step)
        if rollout is None:
            return None
        settings, steps = self._settings, int(self.memory.steps)
        batch = self._prepare(rollout)
        metrics: Metrics = {}
        for epoch in minibatches(
            self._seed,
            steps,
            num_steps=settings.num_steps,
            num_envs=self._group.num_envs,
            num_epochs=settings.num_epochs,
            num_minibatches=settings.num_minibatches,
            whole_envs=self._network.state_size > 0,
        ):
            for rows in epoch:
                metrics = self._update(*batch, rows)
        self._obs_statistics.add_rollout(step.rollout.obs)
        if self._target is not None:
            steps_before = steps - settings.num_steps * self._group.num_envs
            if steps // settings.target_update_steps > steps_before // settings.target_update_steps:
                copy_variables(self._network.variables, self._target.variables)
        return metrics

    @property
    def _epsilon(self) -> tf.Tensor:
        settings = self._settings
        return linear_change(
            settings.epsilon_start, settings.epsilon_end, settings.epsilon_anneal_steps, self.memory.steps
        )

    def _act_graph(self, obs: tf.Tensor, state: States) -> tuple[tf.Tensor, tf.Tensor, States]:
        """Actions [N], v(s) [N] of the states in which they are taken, and the next states [N, S] of the network.

        obs: [N, ...]; state: [N, S].
        """
        q, state = self._network.step(obs, state)
        seed = noise_seed(self._seed, self.memory.steps)
        actions = self._group.sample(lambda rows: self._network.epsilon_greedy(rows, self._epsilon, seed), q)
        self.memory.steps.assign_add(self._group.count(obs.shape[0]))
        if self._target is not None:
            q = self._target(obs)
        value = select_q(q, actions) if self._settings.rule == "sarsa" else tf.reduce_max(q, axis=1)
        return actions, value, state

    def _bootstrap_value(self, obs: tf.Tensor, state: States) -> tf.Tensor:
        """v(s) [B] of states in which no action was taken. obs: [B, ...]; state: [B, S], of the network."""
        q, _ = (self._target or self._network).step(obs, state)
        if self._settings.rule == "q_learning":
            return tf.reduce_max(q, axis=1)
        return self._network.expected_q(q, self._epsilon)

    def _prepare_graph(self, rollout: RolloutBatch) -> tuple[Sequences, tf.Tensor, tf.Tensor]:
        """Observations, actions and returns of the own transitions of a rollout, each [T * n, ...]."""
        (value,) = rollout.kept
        advantage, value = self._estimator(rollout, value, self._bootstrap_value(rollout.obs[-1], rollout.last_state))
        target = self._group.own_envs(advantage + value)
        return rollout.sequences, merge_time(rollout.action), merge_time(target)

    def _update_graph(
        self, sequences: Sequences, action: tf.Tensor, target: tf.Tensor, rows: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """One optimiser step on the minibatch that consists of `rows` [B] of all transitions. Returns the metrics.

        sequences, action, target: of the own transitions.
        """
        settings = self._settings
        own = self._group.own_rows(rows, at_least=settings.num_steps)
        sequences, action, target = sequences.gather(own.local), *(tf.gather(a, own.local) for a in (action, target))
        with tf.GradientTape() as tape:
            outputs = self._network.unroll(sequences)
            if self._bins is None:
                loss, metrics = nstep_q_loss(outputs, action, target)
            else:
                loss, metrics = hl_gauss_loss(outputs, action, target, self._bins)
        learning_rate = linear_decay(settings.learning_rate, settings.lr_anneal_steps, self.memory.steps)
        metrics["train/epsilon"] = self._epsilon
        return self._optimizer.step(tape, loss, learning_rate, metrics, own.share)
