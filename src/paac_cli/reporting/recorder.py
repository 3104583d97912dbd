"""Records videos of evaluated games by replaying them."""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.env import EnvConfig
from paac_cli.envs.placeholders import Copy
from paac_cli.errors import VideoError, WorkerError
from paac_cli.reporting.panel import GameMoment
from paac_cli.reporting.stages import GameStyle, GridStage, Scene, make_stage
from paac_cli.reporting.video import VideoWriter
from paac_cli.sampling.child_process import ChildFailedError
from paac_cli.sampling.replay_frames import ReplayedStep, replay_frames
from paac_cli.seeding import episode_seed
from paac_cli.spec import EnvSpec

#: Frames per second of a video of an Atari game, whose emulator has 60. Each shows two of them, as an observation does.
ATARI_FPS = 30.0


class VideoSettings(NamedTuple):
    """What all videos are made from, whatever they show."""

    path: Path
    config: EnvConfig
    spec: EnvSpec
    fps: float  #: rendered frames per second of the video
    seconds: float | None  #: length of the video, at most
    timeout: float  #: seconds that a step of the environment may take
    square_pixels: bool = False  #: whether Atari games have the pixels of the emulator instead of a television's

    @property
    def group(self) -> int:
        """Number of rendered frames that are merged to one frame of the video."""
        return max(int(self.fps // ATARI_FPS), 1) if self.config.is_atari else 1

    @property
    def max_frames(self) -> int | None:
        """Frames of the video, at most."""
        return None if self.seconds is None else max(1, round(self.seconds * self.fps / self.group))

    def max_steps(self, parts: int = 1) -> int | None:
        """Steps of a game of which it shows a frame, at most. parts: number of games that share its length."""
        if self.max_frames is None:
            return None
        frames = -(-self.max_frames // parts) * self.group
        return -(-frames // self.config.frames_per_step)

    def new_file(self) -> VideoWriter:
        """The file that it is written to."""
        return VideoWriter(self.path, self.fps / self.group)

    def style(self, scale: int, *, overlay: bool = False) -> GameStyle:
        """How it shows games. scale: of small frames without a panel."""
        steps_per_second = self.spec.fps / self.config.frames_per_step
        return GameStyle(self.config, self.spec, scale, overlay, self.square_pixels, steps_per_second)


class _Shot(NamedTuple):
    """One frame of a video."""

    moment: GameMoment
    frame: NDArray[np.uint8]


def record_games(settings: VideoSettings, scenes: Sequence[Scene], *, overlay: bool, same_length: bool = False) -> int:
    """Record the games of `scenes` one after the other; returns how many of them the video shows.

    Each is replayed in a process of its own. overlay: add a panel. same_length: each has the same part of
    `settings.seconds`; otherwise the first have all of it.

    Raises VideoError, also if a game diverges on replay, and WorkerError if the environment fails.
    """
    stage, written = None, 0
    with settings.new_file() as video:
        style = settings.style(video.scale, overlay=overlay)
        for number, scene in enumerate(scenes, 1):
            end = settings.max_frames
            if end is not None and same_length:
                end = max(end * number // len(scenes), written + 1)
            if end is not None and written >= end:
                return number - 1
            moment = None
            for shot in _shots(settings, scene, number, None if end is None else end - written):
                stage = stage or make_stage(style, shot.frame, has_titles=any(scene.title for scene in scenes))
                if moment is None:
                    stage.begin(scene.game, scene.title)
                if shot.moment is not moment:
                    moment = shot.moment
                    stage.describe(moment)
                stage.show(shot.frame)
                video.write(stage.canvas)
                written += 1
    return len(scenes)


def record_grid(settings: VideoSettings, scenes: Sequence[Scene], rows: int, columns: int) -> None:
    """Record the games of `scenes` side by side, until the last one ends. Raises as `record_games`."""
    with settings.new_file() as video, contextlib.ExitStack() as replays:
        shots = [
            replays.enter_context(contextlib.closing(_shots(settings, scene, number, settings.max_frames)))
            for number, scene in enumerate(scenes, 1)
        ]
        running = {index: next(each) for index, each in enumerate(shots)}
        grid = GridStage(settings.style(video.scale), running[0].frame.shape, rows, columns)
        for cell, scene in zip(grid.cells, scenes, strict=False):
            cell.begin(scene.game, scene.title)
        while running:
            for index, shot in running.items():
                grid.cells[index].describe(shot.moment)
                grid.cells[index].show(shot.frame)
            video.write(grid.canvas)
            upcoming = [(index, next(shots[index], None)) for index in running]
            for index, next_shot in upcoming:
                if next_shot is None and not scenes[index].game.is_truncated:
                    grid.cells[index].finish(scenes[index].game.score)
            running = {index: next_shot for index, next_shot in upcoming if next_shot is not None}


def _shots(settings: VideoSettings, scene: Scene, number: int, max_frames: int | None) -> Generator[_Shot, None, None]:
    """The frames of a video of one game. The game is replayed to its end even if there are more than `max_frames`.

    Raises as `record_games`. number: of the game, for messages.
    """
    taken, score = 0, 0.0
    for step in _replayed(settings, scene, number):
        score = step.score
        is_last = step.step == len(scene.game.actions) - 1
        moment = GameMoment(step.step, score if is_last else step.score_before, step.obs)
        for frame in step.frames if max_frames is None else step.frames[: max_frames - taken]:
            taken += 1
            yield _Shot(moment, frame)
    if score != scene.game.score:
        raise VideoError(
            f"game {number} diverged on replay: its score was {scene.game.score:g} in the evaluation and "
            f"{score:g} in the video, so the environment uses a random generator that its seed does not control"
        )


def _replayed(settings: VideoSettings, scene: Scene, number: int) -> Iterator[ReplayedStep]:
    game = scene.game
    seed = episode_seed(scene.seed, game.env, game.episode)
    try:
        copy = Copy(game.env, game.env)  # a grid replays the games of several environments at the same time
        yield from replay_frames(settings.config, game.actions, seed, settings.timeout, copy=copy, group=settings.group)
    except ChildFailedError as error:
        raise WorkerError(f"game {number} cannot be replayed for the video: its environment {error}") from None
    except WorkerError as error:
        raise WorkerError(f"game {number} cannot be replayed for the video:\n{error}") from None
