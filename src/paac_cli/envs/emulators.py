"""Emulators that stand at the start of a game, so that a new game need not wait while one is reset."""

from functools import cache

import numpy as np
from ale_py import ALEInterface
from numpy.typing import NDArray

from paac_cli.envs.atari_games import load_rom


class Emulators:
    """A spare emulator beside those that are played, and all that makes one of them new again.

    Every game starts from one snapshot, taken right after a first reset, so that it depends on nothing
    played before.
    """

    def __init__(self, env_id: str) -> None:
        ale = load_rom(env_id)
        ale.reset_game()
        self._start = ale.cloneState(include_rng=True)
        self.start_colours: NDArray[np.uint8] = ale.getScreen()  # the screen is not part of a snapshot
        self._ready, self._used = [ale], list[ALEInterface]()

    def swap(self, used: ALEInterface) -> ALEInterface:
        """One that stands at the start, for one that has played. Waits for a reset if there is no other."""
        self._used.append(used)
        if not self._ready:
            self.prepare()
        return self._ready.pop()

    def prepare(self) -> bool:
        """Bring one that has played back to the start: 3 to 6 ms. False if there is none."""
        if not self._used:
            return False
        ale = self._used.pop()
        # Both are needed: a reset keeps some memory in 17 games (beam_rider among them), and a snapshot
        # does not hold all of the machine in others (qbert, tetris).
        ale.reset_game()
        ale.restoreState(self._start)
        self._ready.append(ale)
        return True


@cache
def emulators(env_id: str) -> Emulators:
    """Those of this process."""
    return Emulators(env_id)
