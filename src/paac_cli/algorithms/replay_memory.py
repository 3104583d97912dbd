"""What an agent with a replay buffer records while it acts, and what of it a checkpoint holds."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.replay import ReplayBatch, ReplayBuffer
from paac_cli.learning.aliases import TensorAliases
from paac_cli.learning.variables import Variables
from paac_cli.spec import ActionSpec
from paac_cli.timestep import TimeStep


class ReplayMemory:
    """Fills a replay buffer while an agent acts, and draws batches from it. A `Memory`; a rollout is one step.

    act:    `obs(step)`, then `record(step, actions)`
    learn:  `add(step)`, then `sample(...)` for each update
    """

    def __init__(self, buffer: ReplayBuffer, num_envs: int, action: ActionSpec) -> None:
        #: Agent steps so far, [] int64. The graph of `act` increments it; checkpoints contain it.
        self.steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")
        self.buffer = buffer
        self._actions = np.zeros((num_envs, *action.shape), action.dtype)
        self._drawn: list[tuple[NDArray, NDArray]] = []  # indices and weights of each batch since the latest `add`
        self._tensor = TensorAliases()

    def obs(self, step: TimeStep) -> tf.Tensor:
        """`step.obs` [N, ...] as a tensor that shares its memory, where TensorFlow can."""
        return self._tensor(step.obs)

    def record(self, step: TimeStep, actions: tf.Tensor) -> NDArray:
        """Record the actions [N, ...] for `step.obs`, and return them as an array. Waits for the device."""
        if not self.buffer.has_begun:
            self.buffer.begin(step.obs)
        self._actions[:] = actions.numpy()
        return self._actions

    def add(self, step: TimeStep) -> None:
        """Add the outcome of the last actions to the buffer."""
        self.buffer.add(self._actions, step)
        self._drawn.clear()

    def sample(self, rng: np.random.Generator, size: int, beta: float = 0.0) -> ReplayBatch:
        """Draw a batch as `ReplayBuffer.sample` does, and remember it for `last_batch`."""
        batch = self.buffer.sample(rng, size, beta)
        self._drawn.append((batch.indices, batch.weight))
        return batch

    def rewind(self, steps: int) -> None:
        self.steps.assign(steps)  # there is nothing to drop: the buffer holds only complete steps

    def last_batch(self) -> dict[str, NDArray]:
        """The batches of the latest `learn`, concatenated, as `replayed/<field of ReplayBatch>`."""
        if not self._drawn:
            return {}
        indices, weight = (np.concatenate(arrays) for arrays in zip(*self._drawn, strict=True))
        return {f"replayed/{name}": array for name, array in self.buffer.batch(indices, weight)._asdict().items()}


class ReplayLearnerState:
    """The `State` of the learner: variables and, with `save_buffer`, the replay buffer."""

    def __init__(self, variables: Variables, buffer: ReplayBuffer | None) -> None:
        self._variables, self._buffer = variables, buffer

    def to_arrays(self) -> dict[str, NDArray]:
        experience = {} if self._buffer is None else self._buffer.to_arrays()
        return self._variables.to_arrays() | {f"replay/{name}": array for name, array in experience.items()}

    def assign(self, arrays: Mapping[str, NDArray]) -> None:
        experience = {name.removeprefix("replay/"): arrays[name] for name in arrays if name.startswith("replay/")}
        variables = {name: arrays[name] for name in arrays if not name.startswith("replay/")}
        self._variables.check(variables)  # assign nothing if anything does not fit
        if self._buffer is not None:
            self._buffer.assign(experience)
        self._variables.assign(variables)


def stack_frames(frames: tf.Tensor) -> tf.Tensor:
    """Frames [B, K, ..., C], oldest first -> observations [B, ..., K * C]. Inverts the split of `ReplayBuffer`."""
    if frames.shape[1] == 1:
        return tf.squeeze(frames, axis=1)
    obs = tf.transpose(frames, [0, *range(2, frames.shape.rank - 1), 1, frames.shape.rank - 1])
    return tf.reshape(obs, [-1, *obs.shape[1:-2], obs.shape[-2] * obs.shape[-1]])
