"""Records videos of evaluated games by replaying them."""

import contextlib
import itertools
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import EnvConfig
from paac_cli.errors import VideoError, WorkerError
from paac_cli.reporting.video import VideoWriter, enlarge
from paac_cli.sampling.child_process import ChildFailedError
from paac_cli.sampling.replay_frames import ReplayedStep, replay_frames
from paac_cli.seeding import episode_seed

if TYPE_CHECKING:
    from paac_cli.training.evaluation import EvaluatedGame

_PANEL_WIDTH = 240
_GREY, _WHITE, _BLUE = (150, 150, 150), (240, 240, 240), (90, 170, 250)  # RGB
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def record_games(
    path: Path,
    config: EnvConfig,
    games: "list[EvaluatedGame]",
    *,
    seed: int,
    fps: float,
    action_names: tuple[str, ...],
    overlay: bool,
    timeout: float,
    max_frames: int | None = None,
) -> None:
    """Write every frame of `games` to `path`, or only the first `max_frames`.

    The environment lives in a process of its own. seed: of the evaluation in which the games were played. overlay: add
    a panel with the score, the value and the action probabilities. timeout: seconds that a step may take.

    Raises VideoError, and WorkerError if the environment fails.
    """
    with VideoWriter(path, fps) as video:
        names = action_names if overlay else None
        with contextlib.closing(_frames(config, games, seed, video.scale, names, timeout)) as frames:
            for frame in itertools.islice(frames, max_frames):
                video.write(frame)


def _frames(
    config: EnvConfig,
    games: "list[EvaluatedGame]",
    seed: int,
    scale: int,
    action_names: tuple[str, ...] | None,
    timeout: float,
) -> Generator[NDArray[np.uint8], None, None]:
    """Every frame of `games`, enlarged, and next to a panel if there are `action_names`. Raises as `record_games`."""
    for number, game in enumerate(games, 1):
        title, score = f"game {number}/{len(games)}" if len(games) > 1 else "", 0.0
        try:
            for step in replay_frames(config, game.actions, episode_seed(seed, game.env, game.episode), timeout):
                score = step.score
                panel = _panel(game, step, title, action_names) if action_names is not None else None
                for frame in step.frames:
                    large = enlarge(frame, scale)
                    yield large if panel is None else _beside(large, panel)
        except ChildFailedError as error:
            raise WorkerError(f"game {number} cannot be replayed for the video: its environment {error}") from None
        except WorkerError as error:
            raise WorkerError(f"game {number} cannot be replayed for the video:\n{error}") from None
        if score != game.score:
            raise VideoError(
                f"game {number} diverged on replay: its score was {game.score:g} in the evaluation and "
                f"{score:g} in the video, so the environment uses a random generator that its seed does not control"
            )


def _beside(frame: NDArray[np.uint8], panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = frame.shape[0]
    panel = panel[:height]
    filler = np.zeros((height - panel.shape[0], panel.shape[1], 3), np.uint8)
    return np.hstack([frame, np.vstack([panel, filler])])


def _panel(game: "EvaluatedGame", step: ReplayedStep, title: str, names: tuple[str, ...]) -> NDArray[np.uint8]:
    """[height, _PANEL_WIDTH, 3] RGB: score, value and action probabilities before `step`."""
    index, score = step.step, step.score_before
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
