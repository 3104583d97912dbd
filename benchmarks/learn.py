"""Train the presets that are known to learn, on several seeds, evaluate them, and write down how it went.

    python benchmarks/learn.py [--seeds 3] [--only ppo/] [--runs DIRECTORY] [--out results/learning]

Runs of this commit that are finished are not trained again, so that it can be stopped and called again. With --only
the page is not written. Exits with 1 where a median misses its goal.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from paac_cli.machine import machine


class Goal(NamedTuple):
    """What the median seed must score, over the mean of 100 games."""

    preset: str
    score: float
    greedy: bool = False


GOALS = [
    Goal("cartpole", 475),
    Goal("ppo/cartpole", 475),
    Goal("nstep_q/cartpole", 475, greedy=True),
    Goal("dqn/cartpole", 475, greedy=True),
    Goal("paac/acrobot", -100),
    Goal("ppo/acrobot", -100),
    Goal("nstep_q/acrobot", -100, greedy=True),
    Goal("dqn/acrobot", -100, greedy=True),
    Goal("ppo/pendulum", -250),
    Goal("ppo/lunarlander", 200),
]


class Run(NamedTuple):
    seed: int
    steps: int
    seconds: float
    score: float


def paac(*arguments: object) -> str:
    command = [sys.executable, "-m", "paac_cli", *map(str, arguments)]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def learn(goal: Goal, seed: int, runs: Path) -> Run:
    """Train and evaluate one seed of a preset, or find it done."""
    directory = runs / f"{goal.preset.replace('/', '-')}-seed{seed}"
    paac("train", "--preset", goal.preset, "--seed", seed, "--device", "cpu", "--run-dir", directory)
    kept = directory / "eval.json"
    if not kept.exists():
        actions = "--greedy" if goal.greedy else "--sample"
        kept.write_text(paac("eval", directory, "--episodes", 100, actions, "--seed", 1000, "--json"))
    last = max(directory.glob("checkpoints/step_*"))
    counters = json.loads((last / "manifest.json").read_text())["counters"]
    return Run(seed, counters["steps"], counters["seconds"], json.loads(kept.read_text())["mean"])


def row_of(goal: Goal, runs: list[Run]) -> str:
    def told(values: list[str]) -> str:
        return ", ".join(values)

    scores = [run.score for run in runs]
    cells = [
        f"`{goal.preset}`",
        f"{goal.score:g}",
        f"**{statistics.median(scores):.1f}**",
        told([f"{score:.1f}" for score in scores]),
        told([f"{run.steps:,}" for run in runs]),
        told([str(timedelta(seconds=round(run.seconds))) for run in runs]),
        "greedy" if goal.greedy else "sampled",
    ]
    return f"| {' | '.join(cells)} |"


def write(out: Path, rows: list[str], commit: str) -> None:
    names = ("tensorflow", "numpy", "gymnasium")
    versions = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])
    text = f"""# What learns, and how fast

`make learn` wrote this, at commit {commit}, on {os.cpu_count()} cores of {machine()["processor"]},
without a GPU ({versions}). Scores are the mean raw return of 100 games with the best
checkpoint, seed 1000; steps and time are those of training, one run after the other. Each seed is shown.

| preset | goal | median | seeds | steps | time | actions |
|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""
    (out / "README.md").write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="presets whose name begins with this")
    parser.add_argument("--runs", type=Path, default=Path("runs/learn"))
    parser.add_argument("--out", type=Path, default=Path("results/learning"))
    options = parser.parse_args()
    describe = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
    place = options.runs / commit
    options.out.mkdir(parents=True, exist_ok=True)
    rows, missed = [], []
    for goal in [goal for goal in GOALS if goal.preset.startswith(options.only)]:
        runs = [learn(goal, seed, place) for seed in range(1, options.seeds + 1)]
        rows.append(row_of(goal, runs))
        print(rows[-1], flush=True)
        if statistics.median(run.score for run in runs) < goal.score:
            missed.append(goal.preset)
        for run in runs:
            name = f"{goal.preset.replace('/', '-')}-seed{run.seed}"
            kept = options.out / name
            kept.mkdir(exist_ok=True)
            for file in ("config.yaml", "metrics.csv"):
                shutil.copy(place / name / file, kept / file)
        if not options.only:
            write(options.out, rows, commit)
    print(f"goal missed: {', '.join(missed)}" if missed else "all goals reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
