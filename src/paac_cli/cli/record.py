"""paac record"""

from collections.abc import Container
from pathlib import Path

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
from paac_cli.cli.output import print_result, warn


@click.command()
@click.argument("video", type=UserPath(), required=False)
@click.option(
    "--checkpoint",
    type=UserPath(),
    help="A run directory or a single checkpoint.  [default: the newest run in runs/]",
)
@click.option("--episodes", type=click.IntRange(1), default=1, show_default=True, help="Number of whole games.")
@click.option(
    "--seconds",
    type=FiniteRange(0, min_open=True),
    help="Maximum length of the video in seconds.  [default: whole games]",
)
@click.option("--fps", type=FiniteRange(1, 1000), help="Frames per second.  [default: real time]")
@click.option("--overlay", is_flag=True, help="Add a panel with the score, the value and the action probabilities.")
@action_options
@playing_options
@last_option
@trust_option
def record(
    video: Path | None,
    checkpoint: Path | None,
    episodes: int,
    seconds: float | None,
    fps: float | None,
    overlay: bool,
    greedy: bool,
    seed: int,
    limits: PlayLimits,
    last: bool,
    trusted: Container[str],
) -> None:
    """Record a video of a trained agent.

    VIDEO is a .mp4, .webm or .gif file. Without it, the video is saved in the videos/ directory of the run. The video
    shows every frame of the games that `paac eval` plays with the same seed.

    Examples:

    \b
      paac record
      paac record pong.mp4 --checkpoint runs/pong-seed1 --overlay
    """
    from paac_cli.cli.playing import play_games
    from paac_cli.reporting.video import check_video_path
    from paac_cli.runs.run_directory import find_policy, newest_run
    from paac_cli.sampling.describe import require_filmable

    if video is not None and video.is_dir() and checkpoint is None:
        video, checkpoint = None, video  # `paac record CHECKPOINT`
    if video is not None:
        check_video_path(video)
    path, trained = find_policy(checkpoint or newest_run(RUNS), last=last, warn=warn, trusted=trusted)
    video = video or _default_video(path, seed)
    sampling = limits.applied_to(trained.config.sampling)
    require_filmable(trained.config.env, sampling, needs_frame_rate=fps is None)

    played = play_games(trained, limits, episodes=episodes, greedy=greedy, seed=seed)

    from paac_cli.reporting.recorder import record_games

    rate = fps or played.spec.fps
    record_games(
        video,
        played.config.env,
        played.games,
        seed=seed,
        fps=rate,
        action_names=played.spec.action.names,
        overlay=overlay,
        timeout=sampling.worker_timeout,
        max_frames=None if seconds is None else max(1, round(seconds * rate)),
    )
    scores = ", ".join(
        f"{game.score:g}{f' (truncated after {game.length:,} steps)' if game.is_truncated else ''}"
        for game in played.games
    )
    print_result(f"{video}: raw return {scores}, checkpoint {path}, seed {seed}")


def _default_video(checkpoint: Path, seed: int) -> Path:
    """A file in the videos/ directory of the run of `checkpoint`. Raises VideoError if it is not in a run."""
    from paac_cli.errors import VideoError
    from paac_cli.runs.run_directory import CHECKPOINTS, RunDirectory

    path = checkpoint if checkpoint.parent.name else checkpoint.resolve()
    if path.parent.name != CHECKPOINTS:
        raise VideoError(
            f"{path} is not in a run directory, so the video has no default path; "
            f"name a file: paac record video.mp4 --checkpoint {checkpoint}"
        )
    return RunDirectory(path.parents[1]).videos / f"{path.name}-seed{seed}.mp4"
