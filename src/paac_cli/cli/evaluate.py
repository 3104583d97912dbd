"""paac eval"""

from collections.abc import Container
from pathlib import Path

import click

from paac_cli.cli.options import (
    PlayLimits,
    RunPath,
    action_options,
    json_option,
    last_option,
    playing_options,
    trust_option,
)
from paac_cli.cli.output import ResultsOnly, print_report, warn


@click.command("eval", cls=ResultsOnly)
@click.argument("checkpoint", type=RunPath())
@click.option("--episodes", type=click.IntRange(1), default=30, show_default=True, help="Number of whole games.")
@action_options
@playing_options
@last_option
@trust_option
@json_option
def evaluate(
    checkpoint: Path,
    episodes: int,
    greedy: bool,
    seed: int,
    limits: PlayLimits,
    last: bool,
    trusted: Container[str],
    as_json: bool,
) -> None:
    """Play games with a trained agent and report the raw scores.

    `CHECKPOINT` is a run directory, whose best policy is played, or a single checkpoint. The games have the environment
    and the rule set of the training.

    Examples:

    \b
      paac eval runs/pong-seed1
      paac eval runs/pong-seed1 --last --episodes 100 --greedy --json
    """
    from paac_cli.cli.playing import play_games
    from paac_cli.reporting.scores import format_scores, score_report
    from paac_cli.runs.find import find_policy

    path, trained = find_policy(checkpoint, last=last, warn=warn, trusted=trusted)
    games = play_games(trained, limits, episodes=episodes, greedy=greedy, seed=seed)
    report = score_report(trained.config, games) | {
        "checkpoint": str(path),
        "steps": trained.counters.steps,
        "actions": "greedy" if greedy else "sampled",
        "seed": seed,
    }
    if limits.max_steps is not None:
        report |= {"max_steps": limits.max_steps, "truncated": sum(game.is_truncated for game in games)}
    print_report(report, format_scores, as_json=as_json)
