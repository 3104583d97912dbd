"""Trains and evaluates by the commands that a user has, and keeps the small files of finished runs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

EVALUATION_SEED = 1000


def paac(*arguments: object) -> str:
    """The standard output of `paac` with `arguments`."""
    command = [sys.executable, "-m", "paac_cli", *map(str, arguments)]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def evaluate(run: Path, file: Path, *, episodes: int, greedy: bool) -> dict[str, Any]:
    """The report of `paac eval` on the best policy of `run`, kept in `file` and not repeated for the same policy."""
    (best,) = run.glob("checkpoints/best_*")
    steps = json.loads((best / "manifest.json").read_text())["counters"]["steps"]
    if not file.exists() or json.loads(file.read_text())["steps"] != steps:
        actions = "--greedy" if greedy else "--sample"
        file.write_text(paac("eval", run, "--episodes", episodes, actions, "--seed", EVALUATION_SEED, "--json"))
    report: dict[str, Any] = json.loads(file.read_text())
    return report


def keep(run: Path, out: Path, files: tuple[str, ...]) -> None:
    """Copy these files of `run` to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(run / file, out / file)
