"""What `paac eval` says: raw scores, and what they are worth beside those of others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paac_cli.config.schema import RunConfig
from paac_cli.reporting.reference_scores import REFERENCES

if TYPE_CHECKING:  # TensorFlow comes with it
    from paac_cli.training.evaluation import Game


def report(config: RunConfig, games: "Sequence[Game]") -> dict[str, Any]:
    """The scores of `games`, and where the game is known those of a random player, of people and of the paper."""
    scores = [game.score for game in games]
    told: dict[str, Any] = {
        "env": config.env.id,
        "protocol": config.env.protocol,
        "episodes": len(scores),
        "mean": float(np.mean(scores)),
        "std": float(np.std(scores)),
        "median": float(np.median(scores)),
        "min": min(scores),
        "max": max(scores),
        "mean_length": float(np.mean([game.length for game in games])),
        "scores": scores,
    }
    reference = REFERENCES.get(config.env.id)
    if reference is not None:
        network, paper = reference.paper(config.network.torso)
        told |= {
            "human_normalised": reference.human_normalised(told["mean"]),
            "random": reference.random,
            "human": reference.human,
            "paper_network": network,
            "paper": paper,
        }
    return told


def in_words(told: dict[str, Any]) -> str:
    """A report for people; what was played is in it as well."""
    rules = f", protocol {told['protocol']}" if told["protocol"] else ""
    games = "1 game" if told["episodes"] == 1 else f"{told['episodes']} games"
    lines = [
        f"{told['checkpoint']}, {told['steps']:,} steps",
        f"{told['env']}{rules}, actions {told['actions']}, seed {told['seed']}",
        f"{games}: mean {told['mean']:.2f}, std {told['std']:.2f}, "
        f"median {told['median']:.2f}, min {told['min']:g}, max {told['max']:g}, "
        f"mean length {told['mean_length']:.0f} steps",
    ]
    if "human_normalised" in told:
        lines.append(
            f"human-normalised {told['human_normalised']:.1%} (random {told['random']:g}, "
            f"human {told['human']:g}); the PAAC paper's {told['paper_network']} scored {told['paper']:g} "
            "under protocol paac2017"
        )
    return "\n".join(lines)
