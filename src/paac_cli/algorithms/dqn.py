"""DQN: deep Q-learning from replayed experience (Mnih et al. 2015, doi 10.1038/nature14236).

After every `steps_per_update` steps, on a batch drawn from the latest `buffer_size`:

    loss = mean( w * huber( R + gamma^n * Q_target(s', a') - Q(s, a) ) )

with `R` the discounted rewards of `n_step` steps (Sutton 1988), `a'` the best action under the target
network, or under the online one (double; van Hasselt et al. 2016, arXiv 1509.06461), and `w` the weights
that make good for prioritised drawing (Schaul et al. 2016, arXiv 1511.05952; 1 without).
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics, Predictor
from paac_cli.algorithms.replay import ReplayBuffer, Replayed
from paac_cli.config.algorithms import DqnConfig
from paac_cli.config.schema import RunConfig
from paac_cli.learning.aliases import TensorAliases
from paac_cli.learning.graphs import compiled
from paac_cli.learning.minibatches import replay_generator, weights_generator
from paac_cli.learning.optimizers import Descent, between, linear_schedule
from paac_cli.learning.rollout_memory import OBSERVED_EVERY
from paac_cli.learning.variables import Variables, copy_variables
from paac_cli.networks.q_network import QNetwork, epsilon_greedy, value_of
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep


class _Learner:
    """A `State` made of variables and, where it is saved, of experience."""

    def __init__(self, variables: Variables, buffer: ReplayBuffer | None) -> None:
        self._variables, self._buffer = variables, buffer

    def to_arrays(self) -> dict[str, NDArray]:
        experience = {} if self._buffer is None else self._buffer.to_arrays()
        return self._variables.to_arrays() | {f"replay/{name}": array for name, array in experience.items()}

    def assign(self, arrays: Mapping[str, NDArray]) -> None:
        replayed = {name.removeprefix("replay/"): arrays[name] for name in arrays if name.startswith("replay/")}
        variables = {name: arrays[name] for name in arrays if not name.startswith("replay/")}
        self._variables.check(variables)
        if self._buffer is not None:
            self._buffer.assign(replayed)
        self._variables.assign(variables)


class Dqn:
    """The agent: see the module's docstring, and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec) -> None:
        assert isinstance(config.algorithm, DqnConfig)
        self._config = settings = config.algorithm
        self._seed = config.seed
        self._num_envs = config.sampling.num_envs
        self._network, self._target = (
            QNetwork(config.network, spec, weights_generator(config.seed), dueling=settings.dueling) for _ in range(2)
        )
        self._descent = Descent(settings.optimizer, self._network.trainable_variables, settings.max_grad_norm)
        self._steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")
        self._buffer = ReplayBuffer(
            spec,
            self._num_envs,
            capacity=settings.buffer_size,
            n_step=settings.n_step,
            gamma=settings.gamma,
            alpha=settings.prioritized_alpha,
        )
        self._replayed: list[Replayed] = []  # by the latest `learn`
        self.policy = Variables(self._network.variables)
        self.learner = _Learner(
            Variables([*self._descent.slots, self._steps], target=self._target.variables),
            self._buffer if settings.save_buffer else None,
        )
        self._tensor = TensorAliases()
        self._actions = np.zeros(self._num_envs, np.int32)
        self._act = compiled(self._act_graph, config)
        self.predict = Predictor(partial(self._network.play, epsilon=settings.epsilon_end))
        self._update = compiled(self._update_graph, config)
        self._observe = tf.function(self._network.observe)

    def act(self, step: TimeStep) -> NDArray:
        if not self._buffer.has_begun:
            self._buffer.begin(step.obs)
        self._actions[:] = self._act(self._tensor(step.obs)).numpy()
        return self._actions

    def learn(self, step: TimeStep) -> Metrics | None:
        config = self._config
        self._buffer.add(self._actions, step)
        steps = int(self._steps)
        before = steps - self._num_envs
        if steps // self._num_envs % OBSERVED_EVERY == 0:
            self._observe(self._tensor(step.obs))
        metrics: Metrics | None = None
        self._replayed.clear()
        for update in range(self._updates_due(before), self._updates_due(steps)):
            if len(self._buffer) >= config.batch_size:
                metrics = self._learn_from_replay(update)
        if steps // config.target_update_steps > before // config.target_update_steps:
            copy_variables(self._network.variables, self._target.variables)
        return metrics

    def rewind(self, steps: int) -> None:
        self._steps.assign(steps)

    def evidence(self) -> dict[str, NDArray]:
        fields = zip(*self._replayed, strict=True)
        return {f"replayed/{name}": np.concatenate(parts) for name, parts in zip(Replayed._fields, fields, strict=True)}

    def _updates_due(self, steps: int) -> int:
        return int(max(steps - self._config.learning_starts, 0) // self._config.steps_per_update)

    def _learn_from_replay(self, update: int) -> Metrics:
        config = self._config
        batch = self._buffer.sample(replay_generator(self._seed, update), config.batch_size, self._beta)
        self._replayed.append(batch)
        metrics: Metrics
        metrics, error = self._update(
            batch.screens, batch.action, batch.reward, batch.discount, batch.next_screens, batch.weight
        )
        if config.prioritized_alpha:
            self._buffer.set_priorities(batch.place, error.numpy())
        return metrics

    @property
    def _beta(self) -> float:
        start, steps = self._config.prioritized_beta, self._config.prioritized_beta_steps
        return float(between(start, 1.0, steps, self._steps)) if steps else start

    @property
    def _epsilon(self) -> tf.Tensor:
        config = self._config
        return between(config.epsilon_start, config.epsilon_end, config.epsilon_anneal_steps, self._steps)

    def _act_graph(self, obs: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([tf.constant(self._seed, tf.int64), self._steps])
        actions = epsilon_greedy(self._network(obs), self._epsilon, seed)
        self._steps.assign_add(obs.shape[0])
        return actions

    def _update_graph(
        self,
        screens: tf.Tensor,
        action: tf.Tensor,
        reward: tf.Tensor,
        discount: tf.Tensor,
        next_screens: tf.Tensor,
        weight: tf.Tensor,
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """One step of the optimiser on a batch as in `Replayed`; metrics, and the error of each value [B]."""
        config = self._config
        next_obs = _side_by_side(next_screens)
        target_q = self._target(next_obs)
        chooser = self._network(next_obs) if config.double else target_q
        target = reward + discount * value_of(target_q, tf.argmax(chooser, axis=1, output_type=tf.int32))
        with tf.GradientTape() as tape:
            q = value_of(self._network(_side_by_side(screens)), action)
            error = target - q
            loss = tf.reduce_mean(weight * huber(error))
        rate = linear_schedule(config.learning_rate, config.lr_anneal_steps, self._steps)
        norm = self._descent.step(tape, loss, rate)
        return {
            "train/loss": loss,
            "train/q_mean": tf.reduce_mean(q),
            "train/epsilon": self._epsilon,
            "train/grad_norm": norm,
            "train/learning_rate": rate,
        }, error


def huber(error: tf.Tensor) -> tf.Tensor:
    """Half the square of `error`, and its size less a half beyond 1 (the clipped error of Mnih et al. 2015)."""
    size = tf.abs(error)
    return tf.where(size <= 1.0, 0.5 * tf.square(error), size - 0.5)


def _side_by_side(screens: tf.Tensor) -> tf.Tensor:
    """Replayed screens [B, K, ..., C] as the observations [B, ..., K * C] that they were."""
    if screens.shape[1] == 1:
        return tf.squeeze(screens, axis=1)
    obs = tf.transpose(screens, [0, *range(2, screens.shape.rank - 1), 1, screens.shape.rank - 1])
    return tf.reshape(obs, [-1, *obs.shape[1:-2], obs.shape[-2] * obs.shape[-1]])
