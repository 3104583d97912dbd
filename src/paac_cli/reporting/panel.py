"""The panel beside a game: score, what the network observes, value, and actions.

What does not change during a game is drawn once.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from paac_cli.reporting.action_bars import ActionBars
from paac_cli.reporting.drawing import (
    ACCENT,
    DIM,
    LINE,
    TRACK,
    draw_curve,
    fill,
    finite_range,
    new_image,
    text_width,
    write,
)
from paac_cli.reporting.network_view import NetworkView
from paac_cli.spec import EnvSpec
from paac_cli.text import format_score

# All lengths are in pixels.
WIDTH, HEIGHT = 340, 490
_NEW, _NEW_DRAWN = 24, 48  # columns that change when the curve moves by one; with those that the edge of a line needs
_CURVE_END = 6  # columns to the right of the newest value
_LABEL, _SMALL = 13, 11  # sizes of fonts
_VIEW_TOP, _VIEW_SIZE = 18, 168
_BARS_HEIGHT, _NUMBER_WIDTH = 154, 60  # of the bars of an observation without an image, and of a number beside one
_VALUE_TOP, _CURVE_TOP, _CURVE_HEIGHT = 216, 238, 88
_ACTIONS_TOP, _BARS_TOP = 348, 370


class GameMoment(NamedTuple):
    """What the panel shows of one step besides the log of the game."""

    step: int  #: index
    score: float
    obs: NDArray  #: before the step


class GameLog(Protocol):
    """The game so far, or all of it: an `EvaluatedGame`, or a game that is being played."""

    @property
    def values(self) -> Sequence[float] | NDArray:
        """[L], the value estimate before each action."""

    @property
    def actions(self) -> Sequence[NDArray] | NDArray:
        """[L, ...]."""

    @property
    def probabilities(self) -> Sequence[NDArray] | NDArray:
        """[L, A], of each action; [L, 0] if an action is not one choice."""


class Panel:
    """Draws the panel of one game."""

    def __init__(self, log: GameLog, spec: EnvSpec, view: NetworkView, steps_per_second: float) -> None:
        """log: may grow. steps_per_second: of the game in real time."""
        self._log, self._view, self._steps_per_second = log, view, steps_per_second
        self._bars = ActionBars(log, spec.action)
        self._lowest, self._highest = finite_range(np.asarray(log.values, np.float64))
        self._curve = new_image(_CURVE_HEIGHT, WIDTH)
        self._new = new_image(_CURVE_HEIGHT, _NEW_DRAWN)
        self._drawn = (-1, 0.0, 0.0)  # the step of `_curve`, and its axis
        self._largest = np.zeros(0)  # the largest size of each number of the observation so far
        self._static = self._draw_static()

    def draw(self, image: NDArray[np.uint8], moment: GameMoment) -> None:
        """Draw into `image` [HEIGHT, WIDTH, 3]."""
        image[...] = self._static
        score, width = format_score(moment.score), WIDTH - _VIEW_SIZE - 10
        size = next((size for size in (40, 32, 24) if text_width(score, size, bold=True) <= width), 18)
        write(image, score, 0, 22, size, bold=True, width=width)
        seconds = int(moment.step / self._steps_per_second)
        write(image, f"{seconds // 60}:{seconds % 60:02}", 0, 110, 18, bold=True)
        write(image, f"{moment.step:,}", 0, 171, 18, bold=True)
        write(image, f"{self._log.values[moment.step]:+.2f}", WIDTH, _VALUE_TOP - 4, 18, bold=True, align="right")
        self._draw_curve(image[_CURVE_TOP : _CURVE_TOP + _CURVE_HEIGHT], moment.step)
        self._bars.draw(image[_BARS_TOP:], moment.step)
        self._draw_view(image[_VIEW_TOP : _VIEW_TOP + _VIEW_SIZE, WIDTH - _VIEW_SIZE :], moment.obs)

    def _draw_static(self) -> NDArray[np.uint8]:
        image = new_image(HEIGHT, WIDTH)
        labels = {0: "SCORE", 89: "TIME", 150: "STEP", _VALUE_TOP: "VALUE", _ACTIONS_TOP: self._bars.title}
        for y, label in labels.items():
            write(image, label, 0, y, _LABEL, DIM)
        write(image, "NETWORK INPUT", WIDTH - _VIEW_SIZE, 0, _LABEL, DIM)
        below = _VIEW_TOP + _VIEW_SIZE + 6
        lines = [self._view.caption] if self._view.has_image else [self._view.caption, "full bar: its largest so far"]
        for above, line in enumerate(reversed(lines)):
            write(image, line, WIDTH - _VIEW_SIZE, below - 14 * above, _SMALL, DIM, width=_VIEW_SIZE)
        self._bars.draw_static(image[_BARS_TOP:])
        return image

    def _draw_curve(self, image: NDArray[np.uint8], step: int) -> None:
        """The latest values, one per pixel. The axis has room for all values of the log so far."""
        values = np.asarray(self._log.values[max(step - WIDTH, 0) : step + 1], np.float64)
        lowest, highest = finite_range(values)
        self._lowest, self._highest = min(self._lowest, lowest), max(self._highest, highest)
        low, high = self._lowest, self._highest
        if not low < high:  # also if no value is finite
            low, high = (low - 0.5, low + 0.5) if np.isfinite(low) else (-0.5, 0.5)
        if self._drawn == (step - 1, low, high):
            self._curve[:, :-1] = self._curve[:, 1:]
            draw_curve(self._new, values[-_NEW_DRAWN - 8 :], low, high, end=_NEW_DRAWN - _CURVE_END)
            self._curve[:, -_NEW:] = self._new[:, -_NEW:]
        else:
            draw_curve(self._curve, values, low, high, end=WIDTH - _CURVE_END)
        self._drawn = step, low, high
        image[...] = self._curve
        write(image, f"{high:+.3g}", 6, 6, _SMALL, DIM)
        write(image, f"{low:+.3g}", 6, _CURVE_HEIGHT - 14, _SMALL, DIM)

    def _draw_view(self, image: NDArray[np.uint8], obs: NDArray) -> None:
        picture = self._view.image(obs)
        if picture is not None:
            rate = min(_VIEW_SIZE / picture.shape[0], _VIEW_SIZE / picture.shape[1])
            width, height = max(round(picture.shape[1] * rate), 1), max(round(picture.shape[0] * rate), 1)
            method = cv2.INTER_NEAREST if rate >= 1 else cv2.INTER_AREA
            image[:height, :width] = cv2.resize(picture, (width, height), interpolation=method)
            return
        numbers = self._view.numbers(obs)
        sizes = np.abs(np.nan_to_num(numbers))
        self._largest = np.maximum(self._largest, sizes) if len(self._largest) else sizes
        _draw_numbers(image[:_BARS_HEIGHT], numbers, np.nan_to_num(numbers) / np.maximum(self._largest, 1e-9))


def _draw_numbers(image: NDArray[np.uint8], numbers: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    """Bars to the left and right of the middle, and beside each its number, if there is room. shares: -1 to 1."""
    height, width = image.shape[:2]
    row = height / len(numbers)
    has_room = row >= _SMALL
    width -= _NUMBER_WIDTH if has_room else 0
    fill(image, 0, 0, width, height, TRACK)
    bar = max(min(row - 2, 16.0), 1.0)
    for index, (number, share) in enumerate(zip(numbers.tolist(), shares.tolist(), strict=True)):
        middle = (index + 0.5) * row
        fill(image, width / 2 + min(share, 0.0) * width / 2, middle - bar / 2, abs(share) * width / 2, bar, ACCENT)
        if has_room:
            write(
                image,
                format_score(number),
                width + _NUMBER_WIDTH,
                round(middle - 0.36 * _SMALL),
                _SMALL,
                DIM,
                align="right",
            )
    fill(image, width / 2, 0, 1, height, LINE)
