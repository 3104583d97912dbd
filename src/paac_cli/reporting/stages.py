"""Arrangements of a video: the game alone, with a caption, or beside a panel."""

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from paac_cli.config.env import EnvConfig
from paac_cli.reporting.drawing import BACKGROUND, BRIGHT, DIM, Colour, new_image, write
from paac_cli.reporting.network_view import NetworkView
from paac_cli.reporting.panel import HEIGHT, WIDTH, GameLog, GameMoment, Panel
from paac_cli.spec import EnvSpec
from paac_cli.text import format_score

if TYPE_CHECKING:
    from paac_cli.training.evaluation import EvaluatedGame

_SMALL = 300  # maximum height and width in pixels of frames that are enlarged
_TELEVISION = 4 / 3  # width over height of the picture for which Atari games were made
# Lengths in pixels:
_MARGIN, _PANEL_TOP, _HEIGHT = 30, 26, 540  # of a video with a panel
_BOX = (420, 640)  # height and width of a game beside a panel, at most
_CAPTION = 40  # height of a caption above a game
_GRID, _GAP = (900, 1280), 10  # height and width of a grid, at most; between its games


class Scene(NamedTuple):
    """One game of a video."""

    game: "EvaluatedGame"
    seed: int  #: of the evaluation in which it was played
    title: str = ""  #: e.g. "after 300,000 steps"


class GameStyle(NamedTuple):
    """How games are shown."""

    config: EnvConfig
    spec: EnvSpec
    scale: int  #: of the format, as `VideoWriter.scale`
    overlay: bool  #: whether there is a panel
    square_pixels: bool  #: whether Atari games have the pixels of the emulator instead of a television's
    steps_per_second: float = 15.0  #: in real time

    @property
    def is_television(self) -> bool:
        """Whether pixels are stretched to the shape that they had on a television."""
        return self.config.is_atari and not self.square_pixels


class Stage(Protocol):
    """One arrangement. It is drawn into `canvas`, and only what has changed."""

    canvas: NDArray[np.uint8]  #: [height, width, 3] RGB

    def begin(self, log: GameLog, title: str) -> None:
        """Another game begins. log: of it, for a panel."""

    def describe(self, moment: GameMoment) -> None:
        """Draw what is known of a step besides its frames."""

    def show(self, frame: NDArray[np.uint8]) -> None:
        """Draw a frame of the game."""


def make_stage(style: GameStyle, frame: NDArray[np.uint8], *, has_titles: bool) -> Stage:
    """The arrangement of a video of one game after the other. frame: the first. has_titles: whether scenes have one."""
    if style.overlay:
        return PanelStage(style, frame.shape)
    size = natural_size(frame.shape, style)
    if has_titles:
        return CaptionedStage(new_image(_CAPTION + size[0], size[1]), padding=12)
    return PlainStage(size)


class PlainStage:
    """The game alone."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.canvas = new_image(*size)

    def begin(self, log: GameLog, title: str) -> None: ...

    def describe(self, moment: GameMoment) -> None: ...

    def show(self, frame: NDArray[np.uint8]) -> None:
        _draw(frame, self.canvas)


class CaptionedStage:
    """The game below its title and score."""

    def __init__(self, canvas: NDArray[np.uint8], padding: int) -> None:
        """padding: columns beside the caption."""
        self.canvas, self._title, self._padding = canvas, "", padding
        self._caption, self._place = canvas[:_CAPTION], canvas[_CAPTION:]

    def begin(self, log: GameLog, title: str) -> None:
        self._title = title

    def describe(self, moment: GameMoment) -> None:
        self._write(format_score(moment.score), BRIGHT)

    def show(self, frame: NDArray[np.uint8]) -> None:
        _draw(frame, self._place)

    def finish(self, score: float) -> None:
        """The game has ended: dim its last frame and show the final score."""
        self._write("", DIM)
        self._place //= 3
        height, width = self._place.shape[:2]
        write(
            self._place,
            format_score(score),
            width // 2,
            height // 2 - height // 8,
            max(height // 4, 12),
            bold=True,
            align="centre",
        )

    def _write(self, score: str, colour: Colour) -> None:
        self._caption[...] = BACKGROUND
        width = self._caption.shape[1]
        write(self._caption, score, width - self._padding, 14, 18, colour, bold=True, align="right")
        write(self._caption, self._title, self._padding, 16, 15, DIM, width=max(width - 80, 1))


class PanelStage:
    """The game beside a panel, with the name of the environment above and the title of the scene below."""

    def __init__(self, style: GameStyle, frame_shape: tuple[int, ...]) -> None:
        self._style = style
        height, width = _fitted(frame_shape, _BOX, style)
        self.canvas = new_image(_HEIGHT, _MARGIN + width + _MARGIN + WIDTH + _MARGIN)
        top, left = (_HEIGHT - height) // 2, _MARGIN
        self._place = self.canvas[top : top + height, left : left + width]
        self._above, self._below = self.canvas[:top, : left + width], self.canvas[top + height :, : left + width]
        self._view = NetworkView(style.spec, style.config)
        self._panel_place = self.canvas[_PANEL_TOP : _PANEL_TOP + HEIGHT, -_MARGIN - WIDTH : -_MARGIN]

    def begin(self, log: GameLog, title: str) -> None:
        style, right = self._style, self._above.shape[1]
        self._above[...] = BACKGROUND
        write(self._above, style.config.id, _MARGIN, _PANEL_TOP, 18, bold=True, width=right - _MARGIN)
        self.write_below(title)
        self._panel = Panel(log, style.spec, self._view, style.steps_per_second)

    def write_below(self, left: str, right: str = "") -> None:
        """Write a line below the game."""
        self._below[...] = BACKGROUND
        end = self._below.shape[1]
        write(self._below, left, _MARGIN, 16, 15, DIM, width=end - _MARGIN)
        write(self._below, right, end, 18, 12, DIM, align="right")

    def describe(self, moment: GameMoment) -> None:
        self._panel.draw(self._panel_place, moment)

    def show(self, frame: NDArray[np.uint8]) -> None:
        _draw(frame, self._place)


class GridStage:
    """Several games side by side."""

    def __init__(self, style: GameStyle, frame_shape: tuple[int, ...], rows: int, columns: int) -> None:
        box = _GRID[0] // rows - _GAP - _CAPTION, _GRID[1] // columns - _GAP
        height, width = _fitted(frame_shape, box, style)
        across, down = width + _GAP, _CAPTION + height + _GAP
        self.canvas = new_image(rows * down, columns * across + _GAP)
        corners = [(row * down, _GAP + column * across) for row in range(rows) for column in range(columns)]
        self.cells = [CaptionedStage(self.canvas[y : y + down - _GAP, x : x + width], padding=2) for y, x in corners]


def natural_size(shape: tuple[int, ...], style: GameStyle) -> tuple[int, int]:
    """(height, width) of a game that nothing else limits: small frames are enlarged, large ones are as they are."""
    height, width = shape[:2]
    if max(height, width) > _SMALL:
        return height, width
    height, width = height * style.scale, width * style.scale
    return height, round(height * _TELEVISION) if style.is_television else width


def _fitted(shape: tuple[int, ...], box: tuple[int, int], style: GameStyle) -> tuple[int, int]:
    """The largest (height, width) of a game in `box`; small frames are enlarged by a whole number if possible."""
    height, width = float(shape[0]), float(shape[1])
    if style.is_television:
        width = height * _TELEVISION
    scale = min(box[0] / height, box[1] / width)
    if scale > 1 and max(shape[:2]) <= _SMALL and not style.is_television:
        scale = math.floor(scale)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _draw(frame: NDArray[np.uint8], place: NDArray[np.uint8]) -> None:
    """Draw `frame`, resized, into all of `place`. Enlarged small frames keep their sharp pixels."""
    height, width = place.shape[:2]
    if frame.shape[:2] == (height, width):
        place[...] = frame
        return
    is_smaller = frame.shape[0] > height or frame.shape[1] > width
    smooth = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    method = cv2.INTER_NEAREST if max(frame.shape[:2]) <= _SMALL and not is_smaller else smooth
    cv2.resize(frame, (width, height), dst=place, interpolation=method)
