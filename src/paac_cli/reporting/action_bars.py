"""The actions on the panel of a video: a bar for each action, or for each element of an action that is a vector."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paac_cli.reporting.drawing import ACCENT, BACKGROUND, BRIGHT, DIM, LINE, TRACK, Colour, fill, write
from paac_cli.spec import ActionSpec

if TYPE_CHECKING:
    from paac_cli.reporting.panel import GameLog

_HEIGHT = 120  # of all bars, in pixels
_ONE_COLUMN, _TWO_COLUMNS = 7, 18  # bars that have names, at most
_GAP = 18  # between two columns
_CELLS = 20  # choices of an element that get a cell each; of more, the chosen one is drawn as wide as one of so many


class ActionBars:
    """Draws the bars of one game."""

    def __init__(self, log: "GameLog", action: ActionSpec) -> None:
        self._log, self._action = log, action
        self._is_choice = action.num_actions is not None
        self._has_cells = bool(action.choices) and not self._is_choice
        self._count = action.num_actions or action.shape[0]
        self._columns = 1 if self._count <= _ONE_COLUMN else 2
        self._rows = -(-self._count // self._columns)
        self._row = min(_HEIGHT / self._rows, 24.0)
        self._font = 13 if self._row >= 17 else 11
        one_column, two_columns = (150, 100) if self._has_cells else (110, 84)
        self._names_width = one_column if self._columns == 1 else two_columns

    @property
    def title(self) -> str:
        """Heading of this part of the panel."""
        if self._is_choice:
            return "ACTION PROBABILITIES" if self._is_named else f"PROBABILITIES OF {self._count:,} ACTIONS"
        return "ACTION: CHOICE OF EACH ELEMENT" if self._has_cells else "ACTION, LOW TO HIGH"

    def draw_static(self, image: NDArray[np.uint8]) -> None:
        """Draw the names and the empty bars into `image` [>= 120, width, 3]."""
        for index in range(self._count if self._is_named else 0):
            x, y, left, length = self._place(index, image.shape[1])
            fill(image, left, y, length, self._thickness, TRACK)
            if not self._has_cells:
                self._write(image, self._name(index), x, y, DIM)
            elif self._action.choices[index] <= _CELLS:
                for border in np.linspace(0, length, self._action.choices[index] + 1)[1:-1]:
                    fill(image, left + border, y, 1, self._thickness, BACKGROUND)

    def draw(self, image: NDArray[np.uint8], step: int) -> None:
        """Draw the bars at one step, after `draw_static`."""
        starts, ends, chosen = self._bars(step)
        if not self._is_named:
            self._draw_upright(image, starts, ends, chosen)
            return
        for index, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            x, y, left, length = self._place(index, image.shape[1])
            colour = ACCENT if chosen in (index, None) else LINE
            fill(image, left + start * length, y, (end - start) * length, self._thickness, colour)
            if index == chosen:
                self._write(image, self._name(index), x, y, BRIGHT)
            elif self._has_cells:
                choice, last = self._log.actions[step][index], self._action.choices[index] - 1
                name = self._name(index) if self._columns == 1 else index
                self._write(image, f"{name}: {choice} of 0-{last}", x, y, DIM)
            elif not self._is_choice:
                fill(image, left + length // 2, y, 1, self._thickness, BRIGHT)

    def _bars(self, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64], int | None]:
        """The start and the end of each bar, 0 to 1, and the index of the action that was chosen."""
        action = self._log.actions[step]
        if self._is_choice:
            ends = np.clip(np.nan_to_num(self._log.probabilities[step].astype(np.float64)), 0, 1)
            return np.zeros(len(ends)), ends, int(action)
        if self._has_cells:
            starts = np.minimum(action / np.array(self._action.choices), 1 - 1 / _CELLS)
            return starts, starts + np.maximum(1 / np.array(self._action.choices), 1 / _CELLS), None
        ends = np.clip((action.astype(np.float64) + 1) / 2, 0, 1)
        zero = 0.5 if self._is_named else 0.0
        return np.minimum(ends, zero), np.maximum(ends, zero), None

    def _draw_upright(
        self, image: NDArray[np.uint8], starts: NDArray[np.float64], ends: NDArray[np.float64], chosen: int | None
    ) -> None:
        """Many bars side by side, without names."""
        width = image.shape[1]
        fill(image, 0, 0, width, _HEIGHT, TRACK)
        for index, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            left, right = index * width / self._count, (index + 1) * width / self._count
            colour = ACCENT if chosen in (index, None) else DIM
            fill(image, left, (1 - end) * _HEIGHT, max(right - left - 1, 1), (end - start) * _HEIGHT, colour)

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

    def _name(self, index: int) -> str:
        return self._action.names[index].lower() if self._is_choice else f"element {index}"

    def _write(self, image: NDArray[np.uint8], text: str, x: int, y: int, colour: Colour) -> None:
        middle = y + (self._thickness - round(self._font * 0.73)) // 2
        write(image, text, x, middle, self._font, colour, width=self._names_width - 6)
