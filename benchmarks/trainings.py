"""Trains and evaluates by the commands that a user has."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from paac_cli.files import replace_synced
from paac_cli.runs.saved_run import SavedRun
from paac_cli.training.processes import start_paac

EVALUATION_SEED = 1000


def paac(*arguments: object) -> str:
    """The standard output of `paac` with `arguments`."""
    command = [sys.executable, "-m", "paac_cli", *map(str, arguments)]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def train(*arguments: object) -> None:
    """Run `paac train` with `arguments`. If this process is interrupted or ends, the training saves and stops."""
    command = ["train", *map(str, arguments)]
    process = start_paac(command, os.sched_getaffinity(0), {})
    try:
        code = process.wait()
    finally:
        process.terminate()
        process.wait()
    if code:
        raise subprocess.CalledProcessError(code, ["paac", *command])


def evaluate(run: Path, file: Path, *, episodes: int, greedy: bool) -> None:
    """Write the report of `paac eval` on the best policy of `run` to `file`, unless it is there already."""
    if not is_evaluated(run, file, episodes=episodes):
        actions = "--greedy" if greedy else "--sample"
        report = json.loads(paac("eval", run, "--episodes", episodes, actions, "--seed", EVALUATION_SEED, "--json"))
        report["checkpoint"] = os.path.relpath(report["checkpoint"], run)  # so that it names no path of this machine
        replace_synced(file, [f"{json.dumps(report, indent=2)}\n".encode()])


def is_evaluated(run: Path, file: Path, *, episodes: int) -> bool:
    """Whether `file` has the report of an evaluation of the best policy that `run` has now."""
    best = SavedRun(run).best
    if best is None or not file.exists():
        return False
    report: dict[str, Any] = json.loads(file.read_text())
    return (report["steps"], report["episodes"], report["seed"]) == (best.counters.steps, episodes, EVALUATION_SEED)


def copy_files(run: Path, out: Path, names: Iterable[str]) -> None:
    """Copy these files of `run` to the directory `out`, which is created."""
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(run / name, out / name)
