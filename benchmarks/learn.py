"""Train and evaluate the presets that have a goal on several seeds, and write a page of the results: `make learn`.

    python benchmarks/learn.py [--seeds 3] [--only ppo/] [--runs DIRECTORY] [--out results/learning]

Finished runs of the same commit are not trained again, so the command can be interrupted and repeated. With --only, the
page is not written. Exits with 1 if the median score of a preset is below its goal.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from paac_cli.machine import machine
from paac_cli.reporting.tables import format_markdown
from paac_cli.runs.saved_run import SavedRun
from trainings import EVALUATION_SEED, copy_files, evaluate, train


class Goal(NamedTuple):
    """The score that the median seed of a preset must reach."""

    preset: str
    score: float  #: mean raw return of 100 games
    greedy: bool = False  #: whether the games are played with the most probable actions instead of samples


GOALS = [
    Goal("cartpole", 475),
    Goal("ppo/cartpole", 475),
    Goal("nstep_q/cartpole", 475, greedy=True),
    Goal("dqn/cartpole", 475, greedy=True),
    Goal("paac/cartpole-positions", 475),
    Goal("ppo/cartpole-positions", 475),
    Goal("ppo/taxi", 7.5),
    Goal("paac/acrobot", -100),
    Goal("ppo/acrobot", -100),
    Goal("nstep_q/acrobot", -100, greedy=True),
    Goal("dqn/acrobot", -100, greedy=True),
    Goal("ppo/pendulum", -250),
    Goal("ppo/lunarlander", 200),
    Goal("sac/pendulum", -160),
    Goal("sac/lunarlander-continuous", 230, greedy=True),
]


COLUMNS = ("preset", "goal", "median", "scores", "steps", "time", "actions")


class Run(NamedTuple):
    """A finished run of one seed."""

    seed: int
    steps: int
    seconds: float  #: duration of the training
    score: float  #: mean raw return of 100 games


def train_and_evaluate(goal: Goal, seed: int, runs: Path) -> Run:
    """Train and evaluate one seed of a preset. What earlier calls have finished is not repeated."""
    directory = runs / run_name(goal, seed)
    train("--preset", goal.preset, "--seed", seed, "--device", "cpu", "--run-dir", directory)
    evaluation = directory / "eval.json"
    evaluate(directory, evaluation, episodes=100, greedy=goal.greedy)
    newest = SavedRun(directory).newest
    assert newest is not None, f"{directory} has no checkpoint"
    counters = newest.counters
    return Run(seed, counters.steps, counters.seconds, json.loads(evaluation.read_text())["mean"])


def run_name(goal: Goal, seed: int) -> str:
    return f"{goal.preset.replace('/', '-')}-seed{seed}"


def table_row(goal: Goal, runs: list[Run]) -> list[str]:
    scores = [run.score for run in runs]
    return [
        f"`{goal.preset}`",
        f"{goal.score:g}",
        f"**{statistics.median(scores):.1f}**",
        ", ".join(f"{score:.1f}" for score in scores),
        ", ".join(f"{run.steps:,}" for run in runs),
        ", ".join(str(timedelta(seconds=round(run.seconds))) for run in runs),
        "greedy" if goal.greedy else "sampled",
    ]


def write_page(out: Path, rows: list[list[str]], commit: str) -> None:
    packages = ("tensorflow", "numpy", "gymnasium")
    versions = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)])
    text = f"""# Which presets learn, and how fast

`make learn` made this page, at commit {commit}, on {machine()["cores"]} cores of {machine()["processor"]},
without a GPU ({versions}). A score is the mean raw return of 100 games, played by the best
policy with seed {EVALUATION_SEED}. Steps and time are those of training, one run after the other. Every seed is shown.

{format_markdown(COLUMNS, rows)}
"""
    (out / "README.md").write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, which are 1, 2, ...")
    parser.add_argument("--only", default="", help="only presets whose names begin with this")
    parser.add_argument("--runs", type=Path, default=Path("runs/learn"), help="directory of the runs")
    parser.add_argument("--out", type=Path, default=Path("results/learning"))
    options = parser.parse_args()
    describe = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
    directory = options.runs / commit
    options.out.mkdir(parents=True, exist_ok=True)
    rows, missed = [], []
    for goal in [goal for goal in GOALS if goal.preset.startswith(options.only)]:
        runs = [train_and_evaluate(goal, seed, directory) for seed in range(1, options.seeds + 1)]
        rows.append(table_row(goal, runs))
        print(*rows[-1], sep="   ", flush=True)
        if statistics.median(run.score for run in runs) < goal.score:
            missed.append(goal.preset)
        for run in runs:
            name = run_name(goal, run.seed)
            copy_files(directory / name, options.out / name, ("config.yaml", "metrics.csv"))
        if not options.only:
            write_page(options.out, rows, commit)
    print(f"goals missed: {', '.join(missed)}" if missed else "all goals reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
