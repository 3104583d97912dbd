"""Records videos of evaluated games by replaying them."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import EnvConfig
from paac_cli.errors import VideoError
from paac_cli.reporting.video import VideoWriter, enlarge
from paac_cli.training.evaluation import replay

if TYPE_CHECKING:
    from paac_cli.training.evaluation import EvaluatedGame

_PANEL_WIDTH = 240
_GREY, _WHITE, _BLUE = (150, 150, 150), (240, 240, 240), (90, 170, 250)  # RGB
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class _VideoIsComplete(Exception):  # noqa: N818 (not an error; it ends the replay early)
    """The video has its maximum number of frames."""


class _Camera:
    """Writes each frame of a game to a video, next to a panel if there is one."""

    def __init__(self, video: VideoWriter, max_frames: int | None) -> None:
        self._video = video
        self._frames_left = max_frames
        self.panel: NDArray[np.uint8] | None = None

    def __call__(self, frame: NDArray[np.uint8]) -> None:
        if self._frames_left == 0:
            raise _VideoIsComplete
        frame = enlarge(frame, self._video.scale)
        self._video.write(frame if self.panel is None else _beside(frame, self.panel))
        if self._frames_left is not None:
            self._frames_left -= 1


def record_games(
    path: Path,
    config: EnvConfig,
    games: "list[EvaluatedGame]",
    *,
    seed: int,
    fps: float,
    action_names: tuple[str, ...],
    overlay: bool,
    max_frames: int | None = None,
) -> None:
    """Write every frame of `games` to `path`, or only the first `max_frames`.

    seed: of the evaluation in which the games were played. overlay: add a panel with the score, the value and the
    action probabilities. Raises VideoError.
    """
    with VideoWriter(path, fps) as video, contextlib.suppress(_VideoIsComplete):
        camera = _Camera(video, max_frames)
        for number, game in enumerate(games):
            title = f"game {number + 1}/{len(games)}" if len(games) > 1 else ""

            def show(index: int, score: float, game: "EvaluatedGame" = game, title: str = title) -> None:
                if overlay:
                    camera.panel = _panel(game, index, score, title, action_names)

            score = replay(config, game, seed, camera, show)
            if score != game.score:
                raise VideoError(
                    f"game {number + 1} diverged on replay: its score was {game.score:g} in the evaluation and "
                    f"{score:g} in the video, so the environment uses a random generator that its seed does not control"
                )


def _beside(frame: NDArray[np.uint8], panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = frame.shape[0]
    panel = panel[:height]
    filler = np.zeros((height - panel.shape[0], panel.shape[1], 3), np.uint8)
    return np.hstack([frame, np.vstack([panel, filler])])


def _panel(game: "EvaluatedGame", index: int, score: float, title: str, names: tuple[str, ...]) -> NDArray[np.uint8]:
    """[height, _PANEL_WIDTH, 3] RGB: score, value and action probabilities at step `index`."""
    panel = np.zeros((150 + 28 * len(names), _PANEL_WIDTH, 3), np.uint8)

    def write(text: str, x: int, y: int, colour: tuple[int, int, int], size: float = 0.5) -> None:
        cv2.putText(panel, text, (x, y), _FONT, size, colour, 1, cv2.LINE_AA)

    write("score", 16, 36, _GREY)
    write(f"{score:g}", 100, 38, _WHITE, 0.8)
    write("value", 16, 68, _GREY)
    write(f"{game.values[index]:+.2f}", 100, 68, _WHITE)
    write("step", 16, 96, _GREY)
    write(f"{index:,}  {title}", 100, 96, _WHITE)
    for row, (name, probability) in enumerate(zip(names, game.probabilities[index], strict=True)):
        y = 140 + 28 * row
        chosen = bool(game.actions[index] == row)
        cv2.rectangle(panel, (112, y - 12), (112 + int(112 * probability), y), _BLUE if chosen else _GREY, -1)
        write(name.lower(), 16, y, _WHITE if chosen else _GREY, 0.4)
    return panel
