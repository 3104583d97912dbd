"""paac eval"""

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

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
    from paac_cli.training.run_directory import find_policy

    path, found = find_policy(checkpoint, last=last, warn=warn, trusted=trusted)
    played = play_games(found, episodes=episodes, greedy=greedy, seed=seed)
    report = _report(played.config, [game.score for game in played.games], [game.length for game in played.games])
    report |= {"checkpoint": str(path), "steps": found.counters.steps, "actions": "greedy" if greedy else "sampled"}
    report["seed"] = seed
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(_in_words(report))


def _in_words(report: dict[str, Any]) -> str:
    rules = f", protocol {report['protocol']}" if report["protocol"] else ""
    games = "1 game" if report["episodes"] == 1 else f"{report['episodes']} games"
    lines = [
        f"{report['checkpoint']}, {report['steps']:,} steps",
        f"{report['env']}{rules}, actions {report['actions']}, seed {report['seed']}",
        f"{games}: mean {report['mean']:.2f}, std {report['std']:.2f}, "
        f"median {report['median']:.2f}, min {report['min']:g}, max {report['max']:g}, "
        f"mean length {report['mean_length']:.0f} steps",
    ]
    if "human_normalised" in report:
        lines.append(
            f"human-normalised {report['human_normalised']:.1%} (random {report['random']:g}, "
            f"human {report['human']:g}); the PAAC paper's {report['paper_network']} scored {report['paper']:g} "
            "under protocol paac2017"
        )
    return "\n".join(lines)


def _report(config: Any, scores: list[float], lengths: list[int]) -> dict[str, Any]:
    import numpy as np

    from paac_cli.reporting.reference import REFERENCES

    report: dict[str, Any] = {
        "env": config.env.id,
        "protocol": config.env.protocol,
        "episodes": len(scores),
        "mean": float(np.mean(scores)),
        "std": float(np.std(scores)),
        "median": float(np.median(scores)),
        "min": min(scores),
        "max": max(scores),
        "mean_length": float(np.mean(lengths)),
        "scores": scores,
    }
    reference = REFERENCES.get(config.env.id)
    if reference is not None:
        network, paper = reference.paper(config.network.torso)
        report |= {
            "human_normalised": reference.human_normalised(report["mean"]),
            "random": reference.random,
            "human": reference.human,
            "paper_network": network,
            "paper": paper,
        }
    return report
