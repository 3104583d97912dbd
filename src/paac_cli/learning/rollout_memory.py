"""What an on-policy agent records during a rollout, in addition to the arrays that the pool has in shared memory.

Legend: `T` steps, `N` environments, `S` numbers in the state of a recurrent cell (0 without one); time-major.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.learning.aliases import TensorAliases
from paac_cli.learning.graphs import GraphFunction
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.networks.recurrent import NO_STATE, Sequences, States, is_state
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
    state: States  #: [N, S] float32, with which obs[0] was taken; `NO_STATE` without a recurrent cell
    last_state: States  #: [N, S] float32, with which obs[T] is taken; `NO_STATE` without a recurrent cell

    @property
    def sequences(self) -> Sequences:
        """The observations from which actions were chosen, for `unroll` of a network. In a graph."""
        if not is_state(self.state):
            return Sequences(merge_time(self.obs[:-1]), NO_STATE, NO_STATE)
        ended = self.terminated | self.truncated
        episode_starts = tf.concat([tf.zeros_like(ended[:1]), ended[:-1]], axis=0)
        return Sequences(merge_time(self.obs[:-1]), episode_starts, self.state)


class RolloutMemory:
    """Records the actions of a rollout and assembles the complete rollout. A `Memory`.

    act:    `obs(step)` and `state(step)`, then `record(step, actions, kept, state)`
    learn:  `add(step)`, which returns the rollout once it is complete
    """

    def __init__(
        self,
        num_steps: int,
        group: ProcessGroup,
        action: ActionSpec,
        values: Callable[[tf.Tensor, States], tf.Tensor],
        state_size: int = 0,
    ) -> None:
        """values: observations [N, ...], states [N, S] -> values [N], which bootstrap truncated episodes.

        state_size: S.
        """
        num_envs = len(group.envs)
        #: Agent steps so far, [] int64. The graph of `act` increments it; checkpoints contain it.
        self.steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")
        self._group, self._state_size = group, state_size
        self._actions = np.zeros((num_steps, num_envs, *action.shape), action.dtype)
        self._final_values = np.zeros((num_steps, num_envs), np.float32)
        self._kept: dict[tuple[int, int], Sequence[tf.Tensor]] = {}  # (t, first environment) -> tensors [N, ...]
        # Of all processes, before obs[0]; and of the own environments, after obs[t] in row t % 2. There are two rows,
        # because with `sampling.overlap` the actions of step t+1 may be recorded before the outcome of step t is added.
        self._first_state = tf.Variable(tf.zeros([group.num_envs, state_size]), trainable=False, name="recurrent_state")
        self._states = np.zeros((2, num_envs, state_size), np.float32)
        self._batch_state = self._states[0]  # with which the latest complete rollout began
        self._values = GraphFunction(values)
        self._gather = GraphFunction(lambda state: group.gather([state[tf.newaxis]])[0][0])
        self._tensor = TensorAliases()

    @property
    def variables(self) -> list[tf.Variable]:
        """What a checkpoint contains."""
        return [self.steps, *([self._first_state] if self._state_size else [])]

    def obs(self, step: TimeStep) -> tf.Tensor:
        """`step.obs` [N, ...] as a tensor that shares its memory, where TensorFlow can."""
        return self._tensor(step.obs)

    def state(self, step: TimeStep) -> NDArray | tuple[()]:
        """The states [N, S] of the recurrent cell for `step.obs`: 0 where an episode begins; or `NO_STATE`."""
        if self._state_size == 0:
            return NO_STATE
        t = step.slot % len(self._actions)
        if t == 0:
            return self._own_first_state[step.envs]
        return _state_after(self._states[(t - 1) % 2, step.envs], step)

    def record(
        self, step: TimeStep, actions: tf.Tensor, kept: Sequence[tf.Tensor] = (), state: States = NO_STATE
    ) -> NDArray:
        """Record the actions [N, ...] for `step.obs`, and return them as an array. Waits for the device.

        kept: tensors [N, ...] that the update needs again; they stay on the device.
        state: [N, S], of the recurrent cell after `step.obs`.
        """
        t = step.slot % len(self._actions)
        self._kept[t, step.envs.start or 0] = kept
        self._actions[t, step.envs] = actions.numpy()
        if is_state(state):
            self._states[t % 2, step.envs] = state.numpy()
        return self._actions[t, step.envs]

    def add(self, step: TimeStep) -> RolloutBatch | None:
        """Record the outcome of the last actions. Returns the rollout if this step completes it, else None.

        Waits for the device where an episode was truncated, because the next step overwrites `final_obs`.
        """
        if step.truncated.any():
            t = step.slot - 1
            state = self._states[t % 2] if self._state_size else NO_STATE
            values = self._values(self._tensor(step.final_obs), state).numpy()
            self._final_values[t] = np.where(step.truncated, values, 0.0)
        if step.slot < len(self._actions):
            return None
        first_state, last_state = self._advance_states(step) if self._state_size else (NO_STATE, NO_STATE)
        rollout = step.rollout
        return RolloutBatch(
            obs=self._tensor(rollout.obs),
            action=self._actions,
            reward=rollout.reward,
            terminated=rollout.terminated,
            truncated=rollout.truncated,
            final_value=self._final_values,
            kept=self._take_kept(),
            state=first_state,
            last_state=last_state,
        )

    def rewind(self, steps: int) -> None:
        self._kept.clear()
        self.steps.assign(steps)

    def last_batch(self) -> dict[str, NDArray]:
        state = {"recurrent_state": self._batch_state[np.newaxis]} if self._state_size else {}  # [1, N, S]
        return {"action": self._actions, "final_value": self._final_values} | state

    def _advance_states(self, step: TimeStep) -> tuple[NDArray, NDArray]:
        """At the end of a rollout: the states [N, S] with which it began, and those with which the next one begins."""
        self._batch_state = self._own_first_state
        last_state = _state_after(self._states[(step.slot - 1) % 2], step)
        self._first_state.assign(self._gather(last_state))
        return self._batch_state, last_state

    @property
    def _own_first_state(self) -> NDArray:
        """[N, S], a copy."""
        envs = self._group.envs
        return self._first_state.numpy()[envs.start : envs.stop]

    def _take_kept(self) -> list[tf.Tensor]:
        """Remove the kept tensors. Returns each for the whole rollout, [T * N, ...].

        Their parts are freed before the update runs.
        """
        parts = [self._kept.pop(key) for key in sorted(self._kept)]
        return [tf.concat(tensors, axis=0) for tensors in zip(*parts, strict=True)]


def _state_after(state: NDArray, step: TimeStep) -> NDArray:
    """The states [N, S] for `step.obs`, if the recurrent cell was left in `state` [N, S] one step before."""
    return np.where((step.terminated | step.truncated)[:, np.newaxis], np.float32(0.0), state)


def merge_time(array: tf.Tensor) -> tf.Tensor:
    """[T, N, ...] -> [T * N, ...]"""
    return tf.reshape(array, [-1, *array.shape[2:]])
