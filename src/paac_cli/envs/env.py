"""What a worker asks of an environment."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from paac_cli.spec import EnvSpec

#: Called with every frame a person would see: [height, width, 3] uint8 RGB, valid during the call.
FrameHook = Callable[[NDArray[np.uint8]], None]


#: One environment's action: a whole number, or an array [...] that is valid during the call.
Action = np.integer | NDArray


class Outcome(NamedTuple):
    """What one step did. `terminated` and `truncated` speak of the episode that is learned from."""

    reward: float
    terminated: bool
    truncated: bool
    game_over: bool  #: the scored game has ended too; a lost life ends an episode, not the game


class Env(Protocol):
    """One environment that writes its observations into the row it is given."""

    spec: EnvSpec
    score: float  #: raw return of the current game so far
    length: int  #: agent steps of the current game so far

    def new_game(self, seed: np.random.SeedSequence, out: NDArray) -> None:
        """Start a game that is a function of `seed` alone; its first observation goes to `out`."""

    def step(self, action: Action, out: NDArray) -> Outcome:
        """Play `action`; what is then seen goes to `out`.

        Where a lost life ends the episode but not the game, the next life begins by itself and `out`
        is its first observation. After `game_over` only `new_game` may be called.
        """

    def prepare(self) -> bool:
        """Do now what a later `new_game`, of any environment of this kind in the process, would wait for.

        False if there is nothing to do. Changes nothing that can be seen.
        """

    def close(self) -> None:
        """Free what the environment holds."""
