"""What sampling hands to an algorithm: arrays, and nothing that knows where they come from.

`T` steps per rollout, `N` environments; arrays are time-major.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: One finished game: environment, its how-manyth game (from 0), raw score, agent steps.
EPISODE_DTYPE = np.dtype([("env", np.int64), ("episode", np.int64), ("score", np.float64), ("length", np.int64)])


class Rollout(NamedTuple):
    """The last `T` steps of all environments: views into shared memory.

    obs:        [T+1, N, ...]  what was seen; `obs[t]` is what action `t` answered.
    reward:     [T, N] float32 as learned (clipped where the protocol says so).
    terminated: [T, N] bool    the episode truly ended with step `t`.
    truncated:  [T, N] bool    the episode was cut off with step `t`.
    """

    obs: NDArray
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


class TimeStep(NamedTuple):
    """One step of all environments. `episodes` is a copy; all else are views, which hold until their slot comes round
    again, and `final_obs` until the pool's next step.

    obs:        [N, ...]       after same-step autoreset: where an episode ended, the next one's first.
    reward:     [N] float32    as learned.
    terminated: [N] bool
    truncated:  [N] bool
    final_obs:  [N, ...]       last observation of an episode; only rows where `truncated` are written.
    episodes:   [K] EPISODE_DTYPE, the games that ended with this step (a lost life is not a game).
    slot:       0 after a reset, then 1..T within a rollout; at `T` the rollout is full.
    rollout:    complete when `slot == T`.
    envs:       of which environments this is; of all, unless halves of them take turns. `N` is their number.
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
