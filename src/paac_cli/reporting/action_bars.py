"""The actions on the panel of a video: a bar for each action, or for each element of an action that is a vector."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paac_cli.reporting.drawing import ACCENT, BRIGHT, DIM, LINE, TRACK, fill, write
from paac_cli.spec import ActionSpec

if TYPE_CHECKING:
    from paac_cli.reporting.panel import GameLog

_HEIGHT = 120  # of all bars, in pixels
_ONE_COLUMN, _TWO_COLUMNS = 7, 18  # bars that have names, at most
_GAP = 18  # between two columns


class ActionBars:
    """Draws the bars of one game."""

    def __init__(self, log: "GameLog", action: ActionSpec) -> None:
        self._log, self._action = log, action
        self._is_choice = action.num_actions is not None
        self._count = action.num_actions or action.shape[0]
        self._columns = 1 if self._count <= _ONE_COLUMN else 2
        self._rows = -(-self._count // self._columns)
        self._row = min(_HEIGHT / self._rows, 24.0)
        self._font = 13 if self._row >= 17 else 11
        self._names_width = 110 if self._columns == 1 else 84

    @property
    def title(self) -> str:
        """Heading of this part of the panel."""
        if self._is_choice:
            return "ACTION PROBABILITIES" if self._is_named else f"PROBABILITIES OF {self._count:,} ACTIONS"
        return "ACTION, FIRST TO LAST CHOICE" if self._action.choices else "ACTION, LOW TO HIGH"

    def draw_static(self, image: NDArray[np.uint8]) -> None:
        """Draw the names and the empty bars into `image` [>= 120, width, 3]."""
        for index in range(self._count if self._is_named else 0):
            x, y, left, length = self._place(index, image.shape[1])
            self._write_name(image, index, x, y, is_chosen=False)
            fill(image, left, y, length, self._thickness, TRACK)

    def draw(self, image: NDArray[np.uint8], step: int) -> None:
        """Draw the bars at one step, after `draw_static`."""
        shares, chosen = self._shares(step)
        if not self._is_named:
            self._draw_upright(image, shares, chosen)
            return
        for index, share in enumerate(shares.tolist()):
            x, y, left, length = self._place(index, image.shape[1])
            start, end = (0.0, share) if self._is_choice or self._action.choices else sorted((0.5, share))
            colour = ACCENT if index == chosen or not self._is_choice else LINE
            fill(image, left + start * length, y, (end - start) * length, self._thickness, colour)
            if index == chosen:
                self._write_name(image, index, x, y, is_chosen=True)
            if not self._is_choice and not self._action.choices:
                fill(image, left + length // 2, y, 1, self._thickness, BRIGHT)

    def _shares(self, step: int) -> tuple[NDArray[np.float64], int | None]:
        """The length of each bar, 0 to 1, and the index of the action that was chosen."""
        action = self._log.actions[step]
        if self._is_choice:
            return np.clip(np.nan_to_num(self._log.probabilities[step].astype(np.float64)), 0, 1), int(action)
        if self._action.choices:
            return (action + 1.0) / np.array(self._action.choices), None
        return np.clip((action.astype(np.float64) + 1) / 2, 0, 1), None

    def _draw_upright(self, image: NDArray[np.uint8], shares: NDArray[np.float64], chosen: int | None) -> None:
        """Many bars side by side, without names."""
        width = image.shape[1]
        fill(image, 0, 0, width, _HEIGHT, TRACK)
        for index, share in enumerate(shares.tolist()):
            left, right = index * width / self._count, (index + 1) * width / self._count
            colour = ACCENT if chosen in (index, None) else DIM
            fill(image, left, (1 - share) * _HEIGHT, max(right - left - 1, 1), share * _HEIGHT, colour)

    @property
    def _is_named(self) -> bool:
        return self._count <= _TWO_COLUMNS

    @property
    def _thickness(self) -> int:
        return min(int(self._row) - 4, 14)

    def _place(self, index: int, width: int) -> tuple[int, int, int, int]:
        """(x and y of the name, left end and length of the bar)."""
        column, row = divmod(index, self._rows)
        whole = (width - _GAP * (self._columns - 1)) // self._columns
        x = column * (whole + _GAP)
        return x, round(row * self._row), x + self._names_width, whole - self._names_width

    def _write_name(self, image: NDArray[np.uint8], index: int, x: int, y: int, *, is_chosen: bool) -> None:
        name = self._action.names[index] if self._is_choice else f"element {index}"
        middle = y + (self._thickness - round(self._font * 0.73)) // 2
        colour = BRIGHT if is_chosen else DIM
        write(image, name.lower(), x, middle, self._font, colour, width=self._names_width - 6)
