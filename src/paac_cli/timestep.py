"""What the pool returns to an algorithm: arrays of `T` steps and `N` environments, time-major."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: One finished game: index of its environment, index of the game in that environment (from 0), raw score, agent steps.
EPISODE_DTYPE = np.dtype([("env", np.int64), ("episode", np.int64), ("score", np.float64), ("length", np.int64)])
INFO = "info/"  #: prefix of further fields: numbers that the environment's `info` held in the last step of the game


def episode_dtype(info_keys: Sequence[str] = ()) -> np.dtype:
    """EPISODE_DTYPE with a float64 field `info/<key>` for each key; NaN where `info` holds none."""
    return np.dtype([*EPISODE_DTYPE.descr, *((f"{INFO}{key}", np.float64) for key in info_keys)])


class Rollout(NamedTuple):
    """The last `T` steps of all environments: views into shared memory.

    obs:        [T+1, N, ...] in the environment's dtype; action `t` was chosen from `obs[t]`.
    reward:     [T, N] float32; the algorithm learns from it (clipped if the rule set clips rewards).
    terminated: [T, N] bool; the episode terminated with step `t`.
    truncated:  [T, N] bool; the episode was truncated with step `t`.
    """

    obs: NDArray
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


class TimeStep(NamedTuple):
    """One step of all environments.

    `episodes` is a copy. All other arrays are views into shared memory: they are valid until the pool writes the same
    slot again, in the next rollout; `final_obs` only until the pool's next step.

    obs:        [N, ...] in the environment's dtype, after same-step autoreset: if an episode ended, the first
                observation of the next one.
    reward:     [N] float32; the algorithm learns from it (clipped if the rule set clips rewards).
    terminated: [N] bool
    truncated:  [N] bool
    final_obs:  [N, ...] last observation of the episode; only rows where `truncated` is true are written.
    episodes:   [K] `episode_dtype`, the games that ended with this step (a lost life does not end a game).
    slot:       0 after a reset, then 1..T within a rollout.
    rollout:    complete when `slot == T`.
    envs:       the environments of this step: all of them or, with `sampling.overlap`, one half. `N` is their number.
    """

    obs: NDArray
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    final_obs: NDArray
    episodes: NDArray
    slot: int
    rollout: Rollout
    envs: slice = slice(None)
