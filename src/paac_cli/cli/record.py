"""paac record"""

from collections.abc import Container
from pathlib import Path

import click

from paac_cli.cli.options import RUNS, FiniteRange, action_choice, checkpoint_choice, trust_choice, warn


@click.command()
@click.argument("video", type=click.Path(path_type=Path), required=False)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="A run directory or a checkpoint.  [default: the newest run in runs/]",
)
@click.option("--episodes", type=click.IntRange(1), default=1, show_default=True, help="Whole games.")
@click.option(
    "--seconds", type=FiniteRange(0, min_open=True), help="Only so much of the film; the games are played whole."
)
@click.option("--fps", type=FiniteRange(1, 1000), help="Frames per second.  [default: real time]")
@click.option("--overlay", is_flag=True, help="A panel with score, value and action probabilities.")
@action_choice
@checkpoint_choice
@trust_choice
def record(
    video: Path | None,
    checkpoint: Path | None,
    episodes: int,
    seconds: float | None,
    fps: float | None,
    overlay: bool,
    greedy: bool,
    seed: int,
    last: bool,
    trusted: Container[str],
) -> None:
    """Film a trained agent: every frame of the emulator, in real time.

    VIDEO ends in .mp4, .webm or .gif. Without it, the film goes to the run's videos/. The games are
    those that `paac eval` plays with the same seed.
    """
    from paac_cli.cli.playing import play_games
    from paac_cli.errors import VideoError
    from paac_cli.reporting.video import check_suffix
    from paac_cli.runs.run_directory import RunDirectory, find_policy, newest_run

    if video is not None and video.is_dir() and checkpoint is None:
        video, checkpoint = None, video  # `paac record CHECKPOINT`
    if video is not None:
        check_suffix(video)
    path, found = find_policy(checkpoint or newest_run(RUNS), last=last, warn=warn, trusted=trusted)
    if video is None:
        path = path if path.parent.name else path.resolve()
        if path.parent.name != "checkpoints":
            raise VideoError(f"{path} does not lie in a run directory; say where the film shall go")
        video = RunDirectory(path.parents[1]).videos / f"{path.name}-seed{seed}.mp4"

    played = play_games(found, episodes=episodes, greedy=greedy, seed=seed)

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
        max_frames=None if seconds is None else max(1, round(seconds * rate)),
    )
    scores = ", ".join(f"{game.score:g}" for game in played.games)
    click.echo(f"{video}: raw return {scores}, by {path}, seed {seed}")
