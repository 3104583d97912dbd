"""What an on-policy agent records during a rollout, in addition to the arrays that the pool has in shared memory.

Legend: `T` steps, `N` environments; time-major.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.learning.aliases import TensorAliases
from paac_cli.learning.graphs import GraphFunction
from paac_cli.spec import ActionSpec
from paac_cli.timestep import TimeStep


class RolloutBatch(NamedTuple):
    """One complete rollout, the input of an update. In a graph all fields are tensors; outside, most are arrays."""

    obs: tf.Tensor  #: [T+1, N, ...]; obs[T] is also the first observation of the next rollout
    action: tf.Tensor  #: [T, N, ...]
    reward: tf.Tensor  #: [T, N] float32
    terminated: tf.Tensor  #: [T, N] bool
    truncated: tf.Tensor  #: [T, N] bool
    final_value: tf.Tensor  #: [T, N] float32, value of the episode's final observation; valid only where `truncated`
    kept: list[tf.Tensor]  #: the tensors that `act` kept for the update, each [T * N, ...]


class RolloutMemory:
    """Records the actions of a rollout and assembles the complete rollout. A `Memory`.

    act:    `obs(step)`, then `record(step, actions, kept)`
    learn:  `add(step)`, which returns the rollout once it is complete
    """

    def __init__(
        self, num_steps: int, num_envs: int, action: ActionSpec, values: Callable[[tf.Tensor], tf.Tensor]
    ) -> None:
        """values: observations [N, ...] -> values [N], which bootstrap truncated episodes."""
        #: Agent steps so far, [] int64. The graph of `act` increments it; checkpoints contain it.
        self.steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")
        self._actions = np.zeros((num_steps, num_envs, *action.shape), action.dtype)
        self._final_values = np.zeros((num_steps, num_envs), np.float32)
        self._kept: dict[tuple[int, int], Sequence[tf.Tensor]] = {}  # (t, first environment) -> tensors [N, ...]
        self._values = GraphFunction(values)
        self._tensor = TensorAliases()

    def obs(self, step: TimeStep) -> tf.Tensor:
        """`step.obs` [N, ...] as a tensor that shares its memory, where TensorFlow can."""
        return self._tensor(step.obs)

    def record(self, step: TimeStep, actions: tf.Tensor, kept: Sequence[tf.Tensor] = ()) -> NDArray:
        """Record the actions [N, ...] for `step.obs`, and return them as an array. Waits for the device.

        kept: tensors [N, ...] that the update needs again; they stay on the device.
        """
        t = step.slot % len(self._actions)
        self._kept[t, step.envs.start or 0] = kept
        self._actions[t, step.envs] = actions.numpy()
        return self._actions[t, step.envs]

    def add(self, step: TimeStep) -> RolloutBatch | None:
        """Record the outcome of the last actions. Returns the rollout if this step completes it, else None.

        Waits for the device where an episode was truncated, because the next step overwrites `final_obs`.
        """
        if step.truncated.any():
            self._final_values[step.slot - 1] = self._values(self._tensor(step.final_obs)).numpy()
        if step.slot < len(self._actions):
            return None
        rollout = step.rollout
        return RolloutBatch(
            obs=self._tensor(rollout.obs),
            action=self._actions,
            reward=rollout.reward,
            terminated=rollout.terminated,
            truncated=rollout.truncated,
            final_value=self._final_values,
            kept=self._take_kept(),
        )

    def rewind(self, steps: int) -> None:
        self._kept.clear()
        self.steps.assign(steps)

    def last_batch(self) -> dict[str, NDArray]:
        return {"action": self._actions, "final_value": self._final_values}

    def _take_kept(self) -> list[tf.Tensor]:
        """Remove the kept tensors. Returns each for the whole rollout, [T * N, ...].

        Their parts are freed before the update runs.
        """
        parts = [self._kept.pop(key) for key in sorted(self._kept)]
        return [tf.concat(tensors, axis=0) for tensors in zip(*parts, strict=True)]


def merge_time(array: tf.Tensor) -> tf.Tensor:
    """[T, N, ...] -> [T * N, ...]"""
    return tf.reshape(array, [-1, *array.shape[2:]])
