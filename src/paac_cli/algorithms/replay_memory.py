"""What an agent with a replay buffer records while it acts."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.replay import ReplayBatch, ReplayBuffer
from paac_cli.learning.aliases import TensorAliases
from paac_cli.timestep import TimeStep


class ReplayMemory:
    """Fills a replay buffer while an agent acts, and draws batches from it. A `Memory`; a rollout is one step.

    act:    `obs(step)`, then `record(step, actions)`
    learn:  `add(step)`, then `sample(...)` for each update
    """

    def __init__(self, buffer: ReplayBuffer, num_envs: int) -> None:
        #: Agent steps so far, [] int64. The graph of `act` increments it; checkpoints contain it.
        self.steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")
        self.buffer = buffer
        self._actions = np.zeros(num_envs, np.int32)
        self._batches: list[ReplayBatch] = []  # drawn since the latest `add`
        self._tensor = TensorAliases()

    def obs(self, step: TimeStep) -> tf.Tensor:
        """`step.obs` [N, ...] as a tensor that shares its memory, where TensorFlow can."""
        return self._tensor(step.obs)

    def record(self, step: TimeStep, actions: tf.Tensor) -> NDArray:
        """Record the actions [N] for `step.obs`, and return them as an array. Waits for the device."""
        if not self.buffer.has_begun:
            self.buffer.begin(step.obs)
        self._actions[:] = actions.numpy()
        return self._actions

    def add(self, step: TimeStep) -> None:
        """Add the outcome of the last actions to the buffer."""
        self.buffer.add(self._actions, step)
        self._batches.clear()

    def sample(self, rng: np.random.Generator, size: int, beta: float) -> ReplayBatch:
        """Draw a batch as `ReplayBuffer.sample` does, and remember it for `last_batch`."""
        batch = self.buffer.sample(rng, size, beta)
        self._batches.append(batch)
        return batch

    def rewind(self, steps: int) -> None:
        self.steps.assign(steps)  # there is nothing to drop: the buffer holds only complete steps

    def last_batch(self) -> dict[str, NDArray]:
        """The batches of the latest `learn`, concatenated, as `replayed/<field of ReplayBatch>`."""
        if not self._batches:
            return {}
        columns = zip(ReplayBatch._fields, zip(*self._batches, strict=True), strict=True)
        return {f"replayed/{name}": np.concatenate(arrays) for name, arrays in columns}
