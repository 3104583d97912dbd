"""Spare emulators that stand at the start of a game, so that a new game need not wait for a reset."""

from functools import cache

import numpy as np
from ale_py import ALEInterface
from numpy.typing import NDArray

from paac_cli.envs.atari_games import load_rom


class Emulators:
    """The spare emulators of one game: ready ones, which stand at its start, and used ones, which need a reset.

    Every game starts from the same snapshot, taken right after the first reset, so no game depends on earlier games.
    """

    def __init__(self, env_id: str, mode: int | None, difficulty: int | None) -> None:
        """Raises as `load_rom` does."""
        ale = load_rom(env_id, mode, difficulty)
        ale.reset_game()
        self._start = ale.cloneState(include_rng=True)
        #: The screen at the start, [height, width] palette indices, which is not part of a snapshot.
        self.start_colours: NDArray[np.uint8] = ale.getScreen()
        self._ready, self._used = [ale], list[ALEInterface]()

    def swap(self, used: ALEInterface) -> ALEInterface:
        """Exchange a used emulator for one at the start of a game. Waits for a reset if none is ready."""
        self._used.append(used)
        if not self._ready:
            self.prepare()
        return self._ready.pop()

    def prepare(self) -> bool:
        """Reset one used emulator, which takes 3 to 6 ms. Returns False if there is none."""
        if not self._used:
            return False
        ale = self._used.pop()
        # Both are needed: in 17 games (e.g. beam_rider) a reset does not clear all memory, and in others (qbert,
        # tetris) a snapshot does not hold the whole state of the machine.
        ale.reset_game()
        ale.restoreState(self._start)
        self._ready.append(ale)
        return True


@cache
def emulators(env_id: str, mode: int | None, difficulty: int | None) -> Emulators:
    """The spare emulators of this game in this process."""
    return Emulators(env_id, mode, difficulty)
