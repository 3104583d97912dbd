"""The report of `paac eval`: raw scores, and how they compare with published ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from paac_cli.config.env import format_rules
from paac_cli.config.schema import RunConfig
from paac_cli.reporting.reference_scores import published_scores
from paac_cli.text import counted, one_line, rounded
from paac_cli.timestep import INFO
from paac_cli.training.evaluation import EvaluatedGame, info_means


def score_report(config: RunConfig, games: Sequence[EvaluatedGame]) -> dict[str, Any]:
    """Statistics of `games`, with published scores if there are any for this game."""
    scores = [game.score for game in games]
    report: dict[str, Any] = {
        "env": config.env.id,
        "protocol": config.env.protocol,
        "mode": config.env.mode,
        "difficulty": config.env.difficulty,
        "episodes": len(scores),
        "mean": float(np.mean(scores)),
        "std": float(np.std(scores)),
        "median": float(np.median(scores)),
        "min": min(scores),
        "max": max(scores),
        "mean_length": float(np.mean([game.length for game in games])),
        "scores": scores,
        **info_means(games),
    }
    reference = published_scores(config.env)
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


def format_scores(report: dict[str, Any]) -> str:
    """A `score_report` as text.

    The caller must have added `checkpoint`, `steps`, `actions` and `seed`; and `max_steps` and `truncated`, if games
    were truncated after a number of steps.
    """
    rules = format_rules(report["protocol"], report["mode"], report["difficulty"])
    lines = [
        f"{report['checkpoint']}, {report['steps']:,} steps",
        f"{report['env']}{rules and f', {rules}'}, actions {report['actions']}, seed {report['seed']}",
        f"{counted(report['episodes'], 'game')}: mean {report['mean']:.2f}, std {report['std']:.2f}, "
        f"median {report['median']:.2f}, min {rounded(report['min'])}, max {rounded(report['max'])}, "
        f"mean length {report['mean_length']:.0f} steps",
    ]
    if "truncated" in report:
        lines.append(f"{counted(report['truncated'], 'game')} truncated after {report['max_steps']:,} steps")
    if "success_rate" in report:
        lines.append(f"success rate {report['success_rate']:.1%}")
    lines += [f"{name} {rounded(value)} (mean)" for name, value in report.items() if name.startswith(INFO)]
    if "human_normalised" in report:
        lines.append(
            f"human-normalised score {report['human_normalised']:.1%} (random {report['random']:g}, "
            f"human {report['human']:g}); PAAC paper, network {report['paper_network']}, rule set paac2017: "
            f"{report['paper']:g}"
        )
    return "\n".join(map(one_line, lines))
