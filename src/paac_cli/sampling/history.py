"""What was played in every environment since its current game began.

A game is a function of its seed and its actions, so this log *is* the state of the environments:
whoever plays it again stands at the same place, bit by bit.
"""

from array import array
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

IDLE = -1  #: as an action: this environment rests, and nothing of it changes


class EnvHistory(NamedTuple):
    """All that is needed to bring one environment to where it was."""

    episode: int  #: how-manyth game of this environment, from 0
    actions: "array[int]"  #: played since that game began


class ActionLog:
    """The history of each of `N` environments, kept by the learner, who sends the actions."""

    def __init__(self, num_envs: int) -> None:
        self._histories = [EnvHistory(0, array("i")) for _ in range(num_envs)]

    def __getitem__(self, env: int) -> EnvHistory:
        return self._histories[env]

    def append(self, actions: NDArray[np.integer], ended: NDArray[np.int64]) -> None:
        """Note the `actions` [N] of one step, and the environments [K] whose games `ended` with it."""
        for history, action in zip(self._histories, actions.tolist(), strict=True):
            if action != IDLE:
                history.actions.append(action)
        for env in ended.tolist():
            self._histories[env] = EnvHistory(self._histories[env].episode + 1, array("i"))

    def to_arrays(self) -> dict[str, NDArray]:
        """The whole log as `episode` [N], `length` [N] and `actions` [sum of lengths]."""
        return {
            "episode": np.array([history.episode for history in self._histories], np.int64),
            "length": np.array([len(history.actions) for history in self._histories], np.int64),
            "actions": np.concatenate([np.array(history.actions, np.int32) for history in self._histories]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray]) -> Self:
        """The log that gave `arrays`."""
        log = cls(len(arrays["episode"]))
        parts = np.split(arrays["actions"], np.cumsum(arrays["length"])[:-1])
        log._histories = [
            EnvHistory(int(episode), array("i", part.tolist()))
            for episode, part in zip(arrays["episode"], parts, strict=True)
        ]
        return log
