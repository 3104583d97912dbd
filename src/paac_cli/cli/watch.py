"""paac watch"""

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
    trust_option,
    worker_timeout_option,
)
from paac_cli.cli.output import ResultsOnly, inform, print_result, warn
from paac_cli.text import rounded


@click.command(cls=ResultsOnly)
@click.argument("checkpoint", type=UserPath(), required=False)
@click.option("--fps", type=FiniteRange(1, 1000), help="Rendered frames per second.  [default: real time]")
@click.option(
    "--square-pixels", is_flag=True, help="Show an Atari game with the emulator's pixels.  [default: 4:3, as on a TV]"
)
@action_options
@worker_timeout_option
@last_option
@trust_option
def watch(
    checkpoint: Path | None,
    fps: float | None,
    square_pixels: bool,
    greedy: bool,
    seed: int,
    worker_timeout: float | None,
    last: bool,
    trusted: Container[str],
) -> None:
    """Watch a trained agent play, in a window.

    `CHECKPOINT` is a run directory, whose best policy plays, or a single checkpoint; without it, the newest run in
    `runs/`. The first 16 games are those that `paac eval` plays with the same seed. Beside the game are the score, what
    the network observes, the value and the action probabilities.

    Keys: space pauses, + and - change the speed, g switches between greedy and sampled actions, q or Esc quits. A
    window needs a display; without one, `paac record` makes a video.

    Examples:

    \b
      paac watch
      paac watch runs/pong-seed1 --greedy
    """
    from paac_cli.reporting.window import Window, require_display
    from paac_cli.runs.find import find_policy, newest_run
    from paac_cli.sampling.describe import describe, require_renderable

    require_display()
    path, trained = find_policy(checkpoint or newest_run(RUNS), last=last, warn=warn, trusted=trusted)
    config = trained.config
    sampling = PlayLimits(1, None, worker_timeout).for_playing(config.sampling)
    with Window(f"paac watch {path}") as window:
        require_renderable(config.env, sampling, needs_frame_rate=fps is None)
        spec = describe(config.env, sampling)
        inform("Loading the policy ...")

        from paac_cli.cli.playing import directory_kept
        from paac_cli.import_tensorflow import import_tensorflow
        from paac_cli.reporting.recorder import VideoSettings
        from paac_cli.sampling.live_game import LiveGame

        settings = VideoSettings(
            Path(), config.env, spec, fps or spec.fps, None, sampling.worker_timeout, square_pixels
        )
        with directory_kept(), LiveGame(config.env, sampling.worker_timeout, settings.group) as game:
            import_tensorflow()
            from paac_cli.reporting.watching import watch as show_games
            from paac_cli.training.trained_agent import load_agent

            agent = load_agent(config, spec, trained.policy)

            scores = show_games(
                agent,
                game,
                window,
                settings.style(scale=3, overlay=True),
                seed=seed,
                greedy=greedy,
                frame_seconds=settings.group / settings.fps,
            )
    results = f"raw return {', '.join(map(rounded, scores))}" if scores else "no game has ended"
    print_result(f"{results}, checkpoint {path}, seed {seed}")
