"""The interface of an environment, as a worker uses it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from paac_cli.spec import EnvSpec

#: Called with every rendered frame, [height, width, 3] uint8 RGB, which is valid only during the call.
FrameHook = Callable[[NDArray[np.uint8]], None]

#: The action of one environment: an integer, or an array [D] int32 or float32 that is valid only during the call.
Action = np.integer | NDArray


class Outcome(NamedTuple):
    """The outcome of one step. `terminated` and `truncated` refer to the training episode, `game_over` to the game."""

    reward: float  #: for learning; clipped if the rule set clips rewards
    terminated: bool
    truncated: bool
    game_over: bool  #: the scored game has ended, too (a lost life may end an episode, but not the game)


class Env(Protocol):
    """One environment, which writes its observations into a given row of memory.

    `out` is always [*obs_shape] in the dtype of `spec`.
    """

    spec: EnvSpec
    score: float  #: raw (unclipped) return of the current game so far
    length: int  #: agent steps of the current game so far

    def new_game(self, seed: np.random.SeedSequence, out: NDArray) -> None:
        """Start a new game, which depends on `seed` and the actions only; write its first observation to `out`."""

    def step(self, action: Action, out: NDArray) -> Outcome:
        """Play `action`; write the observation after it to `out`.

        If a lost life ends the episode but not the game, the next life starts automatically, and `out` is its first
        observation. After `game_over`, only `new_game` may be called.
        """

    def info_numbers(self, keys: Sequence[str]) -> list[float]:
        """For each key its number in the `info` of the latest step; NaN if it is missing or not one number."""

    def prepare(self) -> bool:
        """Use idle time to do work that a later `new_game` in this process would have to wait for.

        Returns False if there is nothing to do. Has no effect on observations and rewards.
        """

    def close(self) -> None:
        """Release resources, such as windows."""
