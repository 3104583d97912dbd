"""Does PAAC still learn with many environments? CartPole under four rules for the learning rate.

    python benchmarks/large_batches.py [--seeds 3] [--runs DIRECTORY]

Everything but the environment and its network is as in the paper (`presets/paper/pong.yaml`), without annealing. Writes
results/large_batches.json and prints the table of docs/scaling.md. Takes a quarter of an hour on two cores. Finished
runs are not trained again.
"""

import argparse
import csv
import json
import math
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from origin import origin
from paac_cli.reporting.tables import format_markdown

RESULTS = Path("results/large_batches.json")
NUM_ENVS = (32, 128, 256, 1024)
STEPS = 1_000_000
RATE, BASE = 0.0224, 32  # of the paper, for as many environments


class Rule(NamedTuple):
    """How the learning rate follows the number of environments."""

    name: str
    rate: Callable[[int], float]
    max_grad_norm: float = 40.0  #: of the paper


def in_proportion(num_envs: int) -> float:
    """The rule of the paper: 0.0007 n_e."""
    return RATE * num_envs / BASE


RULES = [
    Rule("0.0007 n_e, clipped at 40 (paper)", in_proportion),
    Rule("0.0007 n_e, clipped at 0.5", in_proportion, max_grad_norm=0.5),
    Rule("0.0224 sqrt(n_e / 32), clipped at 40", lambda num_envs: RATE * math.sqrt(num_envs / BASE)),
    Rule("0.0224, clipped at 40", lambda num_envs: RATE),
]


def final_return(num_envs: int, rule: Rule, seed: int, runs: Path) -> float:
    """Train, and give the mean return of the last 100 games."""
    rate = rule.rate(num_envs)
    run_dir = runs / f"envs{num_envs}-rate{rate:.4f}-clip{rule.max_grad_norm:g}-seed{seed}"
    settings = {
        "env.protocol": "null",
        "network": "{torso: mlp}",
        "algorithm.learning_rate": f"{rate:.4f}",
        "algorithm.max_grad_norm": f"{rule.max_grad_norm:g}",
        "algorithm.lr_anneal_steps": "0",
        "training.log_every": "10000",
    }
    assignments = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    sizes = ["--num-envs", str(num_envs), "--total-steps", str(STEPS), "--seed", str(seed), "--device", "cpu"]
    command = [sys.executable, "-m", "paac_cli", "train", "--preset", "paper/pong", "--env", "CartPole-v1"]
    subprocess.run([*command, *assignments, *sizes, "--run-dir", str(run_dir)], check=True, stdout=subprocess.DEVNULL)
    *_, last = csv.DictReader((run_dir / "metrics.csv").read_text().splitlines())
    return float(last["rollout/ep_rew_mean"])


def table(returns: dict[str, dict[str, list[float]]]) -> str:
    """In Markdown: a row for each number of environments, with the returns of all seeds under each rule."""
    rules = next(iter(returns.values()))
    rows = [
        [f"{int(num_envs):,}", *(", ".join(f"{score:.0f}" for score in scores) for scores in of_rules.values())]
        for num_envs, of_rules in returns.items()
    ]
    return format_markdown(["n_e", *rules], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, which are 1, 2, ...")
    parser.add_argument("--runs", type=Path, default=Path("runs/large_batches"), help="directory of the runs")
    options = parser.parse_args()
    seeds = range(1, options.seeds + 1)
    returns = {
        str(num_envs): {
            rule.name: [final_return(num_envs, rule, seed, options.runs) for seed in seeds] for rule in RULES
        }
        for num_envs in NUM_ENVS
    }
    made = origin(shlex.join(["python", "benchmarks/large_batches.py", *sys.argv[1:]]))
    RESULTS.write_text(json.dumps({"origin": made, "returns": returns}, indent=1) + "\n")
    print(table(returns))


if __name__ == "__main__":
    main()
