"""paac eval"""

import json
from collections.abc import Container
from pathlib import Path

import click

from paac_cli.cli.options import action_choice, checkpoint_choice, trust_choice, warn


@click.command("eval")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--episodes", type=click.IntRange(1), default=30, show_default=True, help="Whole games.")
@action_choice
@checkpoint_choice
@trust_choice
@click.option("--json", "as_json", is_flag=True, help="One JSON object, and nothing else, on standard output.")
def evaluate(
    checkpoint: Path, episodes: int, greedy: bool, seed: int, last: bool, trusted: Container[str], as_json: bool
) -> None:
    """Play whole games with a trained agent and report raw scores.

    CHECKPOINT is a run directory (its best checkpoint) or one checkpoint. Environment, protocol and
    network are those it was trained with.
    """
    from paac_cli.cli.playing import play_games
    from paac_cli.reporting.scores import in_words, report
    from paac_cli.runs.run_directory import find_policy

    path, found = find_policy(checkpoint, last=last, warn=warn, trusted=trusted)
    played = play_games(found, episodes=episodes, greedy=greedy, seed=seed)
    told = report(played.config, played.games) | {
        "checkpoint": str(path),
        "steps": found.counters.steps,
        "actions": "greedy" if greedy else "sampled",
        "seed": seed,
    }
    click.echo(json.dumps(told, indent=2) if as_json else in_words(told))
