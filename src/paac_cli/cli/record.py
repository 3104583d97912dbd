"""paac record"""

import re
from collections.abc import Container
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from paac_cli.cli.options import (
    RUNS,
    FiniteRange,
    PlayLimits,
    UserPath,
    action_options,
    last_option,
    playing_options,
    trust_option,
)
from paac_cli.cli.output import ResultsOnly, print_result, warn
from paac_cli.text import rounded

if TYPE_CHECKING:
    from paac_cli.reporting.stages import Scene
    from paac_cli.runs.checkpoint import TrainedPolicy


class _Grid(NamedTuple):
    rows: int
    columns: int


class _GridType(click.ParamType):
    """Rows and columns, e.g. 3x3."""

    name = "ROWSxCOLUMNS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> _Grid:
        found = re.fullmatch(r"([1-8])[xX]([1-8])", str(value))
        if found is None:
            self.fail(f"{value} is not a grid of 1 to 8 rows and 1 to 8 columns, such as 3x3", param, ctx)
        return _Grid(int(found[1]), int(found[2]))


class _Arrangement(NamedTuple):
    """Which games a video shows, and how."""

    option: str  #: that chose it
    num_games: int  #: that are played with each policy
    kind: str = ""  #: of the video, in the name of its default file


@click.command(cls=ResultsOnly)
@click.argument("video", type=UserPath(), required=False)
@click.option(
    "--checkpoint",
    type=UserPath(),
    help="A run directory or a single checkpoint.  [default: the newest run in `runs/`]",
)
@click.option("--episodes", type=click.IntRange(1), help="Number of games, one after the other.  [default: 1]")
@click.option(
    "--best-of",
    type=click.IntRange(2),
    metavar="N",
    help="Play `N` whole games, and record the one with the best score.",
)
@click.option("--grid", type=_GridType(), help="Games side by side, e.g. 3x3.")
@click.option(
    "--progress",
    is_flag=True,
    help="The same game with the policies that the run had as it learned, one after the other.",
)
@click.option(
    "--seconds",
    type=FiniteRange(0, min_open=True),
    help="Maximum length of the video in seconds; no more is played than it shows, except with `--best-of`. With "
    "`--progress`, every policy gets the same part of it.  [default: whole games]",
)
@click.option("--fps", type=FiniteRange(1, 1000), help="Rendered frames per second.  [default: real time]")
@click.option(
    "--overlay",
    is_flag=True,
    help="Add a panel with the score, what the network observes, the value and the action probabilities.",
)
@click.option(
    "--square-pixels", is_flag=True, help="Show an Atari game with the emulator's pixels.  [default: 4:3, as on a TV]"
)
@action_options
@playing_options
@last_option
@trust_option
def record(
    video: Path | None,
    checkpoint: Path | None,
    episodes: int | None,
    best_of: int | None,
    grid: _Grid | None,
    progress: bool,
    seconds: float | None,
    fps: float | None,
    overlay: bool,
    square_pixels: bool,
    greedy: bool,
    seed: int,
    limits: PlayLimits,
    last: bool,
    trusted: Container[str],
) -> None:
    """Record a video of a trained agent.

    `VIDEO` is a `.mp4`, `.webm` or `.gif` file. Without it, the video is saved in the `videos/` directory of the run.
    The video shows the games that `paac eval` plays with the same seed. Of an Atari game it shows 30 frames per second,
    each made from two frames of the emulator.

    Examples:

    \b
      paac record
      paac record pong.mp4 --checkpoint runs/pong-seed1 --overlay
      paac record best.mp4 --best-of 30
      paac record nine.mp4 --grid 3x3 --seconds 60
      paac record learning.mp4 --progress --seconds 60
    """
    from paac_cli.reporting.stages import Scene
    from paac_cli.reporting.video import check_video_path

    arrangement = _arrange(episodes, best_of, grid, progress=progress)
    if (overlay and grid) or (last and progress):
        raise click.UsageError(f"{arrangement.option} cannot be combined with {'--overlay' if grid else '--last'}")
    if video is not None and video.is_dir() and checkpoint is None:
        video, checkpoint = None, video  # `paac record CHECKPOINT`
    if video is not None:
        check_video_path(video)
    source, policies = _find_policies(checkpoint, progress=progress, last=last, trusted=trusted)
    if video is None:
        kind = f"{'-greedy' * greedy}{'-overlay' * overlay}{arrangement.kind}"
        video = _default_video(source, f"seed{seed}{kind}.mp4")
        check_video_path(video)

    from paac_cli.cli.playing import open_games
    from paac_cli.sampling.describe import describe, require_renderable

    config = policies[-1].config
    sampling = limits.for_playing(config.sampling)
    require_renderable(config.env, sampling, needs_frame_rate=fps is None)
    spec = describe(config.env, sampling)

    from paac_cli.reporting.recorder import VideoSettings, record_games, record_grid

    settings = VideoSettings(video, config.env, spec, fps or spec.fps, seconds, sampling.worker_timeout, square_pixels)
    video_steps = None if best_of else settings.max_steps(len(policies))
    known = [steps for steps in (limits.max_steps, video_steps) if steps is not None]
    played = limits._replace(max_steps=min(known, default=None))
    is_shortened = played.max_steps != limits.max_steps
    scenes = []
    with open_games(config, spec, played, episodes=arrangement.num_games, greedy=greedy, seed=seed) as play:
        for policy in policies:
            titles = _titles(
                policy.counters.steps, arrangement.num_games, progress=progress, grid=grid, overlay=overlay
            )
            scenes += [Scene(*each) for each in zip(play(policy.policy), repeat(seed), titles, strict=False)]
    if best_of:
        scenes = [max(scenes, key=lambda scene: scene.game.score)]
    if grid:
        record_grid(settings, scenes, grid.rows, grid.columns)
    else:
        scenes = scenes[: record_games(settings, scenes, overlay=overlay, same_length=progress)]
    scores = [_score(scene, is_shortened=is_shortened) for scene in scenes]
    if progress:
        lines = (f"\n  {scene.title}: raw return {score}" for scene, score in zip(scenes, scores, strict=True))
        print_result(f"{video}: run {source}, seed {seed}{''.join(lines)}")
    else:
        of = f", the best of {best_of} games" if best_of else ""
        print_result(f"{video}: raw return {', '.join(scores)}{of}, checkpoint {source}, seed {seed}")


def _arrange(episodes: int | None, best_of: int | None, grid: _Grid | None, *, progress: bool) -> _Arrangement:
    """Raises click.UsageError for options that exclude each other."""
    given = []
    if grid:
        given.append(_Arrangement("--grid", grid.rows * grid.columns, f"-{grid.rows}x{grid.columns}"))
    if progress:
        given.append(_Arrangement("--progress", 1, "-progress"))
    if best_of:
        given.append(_Arrangement("--best-of", best_of, f"-best-of-{best_of}"))
    if episodes:
        given.append(_Arrangement("--episodes", episodes, f"-{episodes}-games" if episodes > 1 else ""))
    if len(given) > 1:
        raise click.UsageError(f"{given[0].option} cannot be combined with {given[1].option}")
    return given[0] if given else _Arrangement("--episodes", 1)


def _find_policies(
    checkpoint: Path | None, *, progress: bool, last: bool, trusted: Container[str]
) -> "tuple[Path, list[TrainedPolicy]]":
    """The policies to record, and the path of the checkpoint, or with `progress` of the run directory."""
    from paac_cli.runs.find import find_policy, find_progress, newest_run

    source = checkpoint or newest_run(RUNS)
    if progress:
        return source, find_progress(source, warn=warn, trusted=trusted)
    path, trained = find_policy(source, last=last, warn=warn, trusted=trusted)
    return path, [trained]


def _titles(steps: int, count: int, *, progress: bool, grid: _Grid | None, overlay: bool) -> list[str]:
    """The title of each of `count` games with a policy that was trained for `steps`."""
    if grid:
        return [f"game {number}" for number in range(1, count + 1)]
    if not progress and not overlay:
        return [""] * count
    trained = f"after {steps:,} steps"
    return [trained] if count == 1 else [f"game {number} of {count}, {trained}" for number in range(1, count + 1)]


def _score(scene: "Scene", *, is_shortened: bool) -> str:
    game = scene.game
    steps = f"{game.length:,} steps"
    return rounded(game.score) + (
        f" ({'first' if is_shortened else 'truncated after'} {steps})" if game.is_truncated else ""
    )


def _default_video(source: Path, name: str) -> Path:
    """A file in the videos/ directory of the run of `source`, which is a checkpoint or, for a video of its progress, a
    run directory. Raises VideoError if a checkpoint is not in a run.
    """
    from paac_cli.errors import VideoError
    from paac_cli.runs.run_directory import CHECKPOINTS, RunDirectory

    path = source if source.parent.name else source.resolve()
    if path.parent.name == CHECKPOINTS:
        return RunDirectory(path.parents[1]).videos / f"{path.name}-{name}"
    if (path / CHECKPOINTS).is_dir():
        return RunDirectory(path).videos / name
    raise VideoError(
        f"{path} is not in a run directory, so the video has no default path; "
        f"name a file: paac record video.mp4 --checkpoint {source}"
    )
