"""What was played in every environment since its current game began.

A game is a function of its seed and its actions, so this log *is* the state of the environments:
whoever plays it again stands at the same place, bit by bit.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.spec import ActionSpec


class EnvHistory(NamedTuple):
    """All that is needed to bring one environment to where it was."""

    episode: int  #: how-manyth game of this environment, from 0
    actions: NDArray  #: [L, ...] played since that game began


class ActionLog:
    """The history of each of `N` environments, kept by the learner, who sends the actions."""

    def __init__(self, num_envs: int, action: ActionSpec) -> None:
        self._action = action
        self._episodes = [0] * num_envs
        self._played = [bytearray() for _ in range(num_envs)]  # packed: a game may have 27,000 steps

    def __getitem__(self, env: int) -> EnvHistory:
        actions = np.frombuffer(bytes(self._played[env]), self._action.dtype)
        return EnvHistory(self._episodes[env], actions.reshape(-1, *self._action.shape))

    def append(self, envs: range, actions: NDArray, active: NDArray[np.bool_], ended: NDArray[np.int64]) -> None:
        """Note one step of `envs`: the `actions` [N, ...] of those that are `active` [N], and the
        environments [K] whose games `ended` with it.
        """
        packed = np.ascontiguousarray(actions, self._action.dtype).tobytes()
        size, active_now = len(packed) // len(self._played), active.tolist()
        for env in envs:
            if active_now[env]:
                self._played[env] += packed[env * size : (env + 1) * size]
        for env in ended.tolist():
            self._episodes[env] += 1
            self._played[env] = bytearray()

    def to_arrays(self) -> dict[str, NDArray]:
        """The whole log as `episode` [N], `length` [N] and `actions` [sum of lengths, ...]."""
        actions = [self[env].actions for env in range(len(self._played))]
        return {
            "episode": np.array(self._episodes, np.int64),
            "length": np.array([len(played) for played in actions], np.int64),
            "actions": np.concatenate(actions),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray], action: ActionSpec) -> Self:
        """The log that gave `arrays`."""
        log = cls(len(arrays["episode"]), action)
        log._episodes = arrays["episode"].tolist()
        parts = np.split(arrays["actions"], np.cumsum(arrays["length"])[:-1])
        log._played = [bytearray(part.tobytes()) for part in parts]
        return log
