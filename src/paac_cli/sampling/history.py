"""What was played in every environment since its current game began.

A game is a function of its seed and its actions, so this log *is* the state of the environments:
whoever plays it again stands at the same place, bit by bit.
"""

import hashlib
import math
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.spec import ActionSpec


class EnvHistory(NamedTuple):
    """All that is needed to bring one environment to where it was, and to know that it is there."""

    episode: int  #: how-manyth game of this environment, from 0
    actions: NDArray  #: [L, ...] played since that game began
    paid: float = math.nan  #: sum of the rewards for them; NaN where that is not known
    seen: tuple[int, ...] = ()  #: digests, of which what is then seen has one; empty where that is not known


def digest(obs: NDArray) -> int:
    """64 bits by which an observation is known again; never `UNKNOWN`."""
    return int.from_bytes(hashlib.blake2b(obs.tobytes(), digest_size=8).digest(), "little") or 1


UNKNOWN = 0  #: in the place of a digest


class ActionLog:
    """The history of each of `N` environments, kept by the learner, who sends the actions."""

    def __init__(self, num_envs: int, action: ActionSpec) -> None:
        self._action = action
        self._episodes = [0] * num_envs
        self._played = [bytearray() for _ in range(num_envs)]  # packed: a game may have 27,000 steps
        self._paid = np.zeros(num_envs)
        self._marked = [(0, 0)] * num_envs  # game and its length then
        self._marked_paid = self._paid.copy()
        self._over: dict[int, bytearray] = {}  # what was played in games that went on at the mark and have ended

    def __getitem__(self, env: int) -> EnvHistory:
        actions = np.frombuffer(bytes(self._played[env]), self._action.dtype)
        return EnvHistory(self._episodes[env], actions.reshape(-1, *self._action.shape), float(self._paid[env]))

    def append(
        self,
        envs: range,
        actions: NDArray,
        active: NDArray[np.bool_],
        reward: NDArray[np.float32],
        ended: NDArray[np.uint8],
    ) -> None:
        """Note one step of `envs`: the `actions` [n, ...] of those of them that are `active` [n], the `reward` [n] of
        all, and whose games `ended` [n] with it, where that is not 0.
        """
        packed = np.ascontiguousarray(actions, self._action.dtype).tobytes()
        size = len(packed) // len(envs)
        for row in np.flatnonzero(active).tolist():
            self._played[envs[row]] += packed[row * size : (row + 1) * size]
        self._paid[envs.start : envs.stop] += reward
        for row in np.flatnonzero(ended).tolist():
            env = envs[row]
            self._paid[env] = 0.0
            self._over.setdefault(env, self._played[env])
            self._episodes[env] += 1
            self._played[env] = bytearray()

    def mark(self) -> None:
        """What is appended from now on can be taken back."""
        self._marked = [(episode, len(played)) for episode, played in zip(self._episodes, self._played, strict=True)]
        self._marked_paid = self._paid.copy()
        self._over = {}

    def at_mark(self) -> Self:
        """The log as it was at the mark."""
        log = type(self)(len(self._played), self._action)
        log._paid = self._marked_paid.copy()
        for env, (episode, length) in enumerate(self._marked):
            log._episodes[env] = episode
            log._played[env] = self._over.get(env, self._played[env])[:length]
        return log

    def to_arrays(self) -> dict[str, NDArray]:
        """The whole log as `episode` [N], `length` [N], `paid` [N] float64 and `actions` [sum of lengths, ...]."""
        actions = [self[env].actions for env in range(len(self._played))]
        return {
            "episode": np.array(self._episodes, np.int64),
            "length": np.array([len(played) for played in actions], np.int64),
            "paid": self._paid.copy(),
            "actions": np.concatenate(actions),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray], action: ActionSpec) -> Self:
        """The log that gave `arrays`; older ones have no `paid`."""
        log = cls(len(arrays["episode"]), action)
        log._paid = arrays.get("paid", np.full(len(arrays["episode"]), math.nan)).copy()
        log._episodes = arrays["episode"].tolist()
        parts = np.split(arrays["actions"], np.cumsum(arrays["length"])[:-1])
        log._played = [bytearray(part.tobytes()) for part in parts]
        return log
