"""Lists runs: what `paac runs` shows."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paac_cli.errors import PaacError
from paac_cli.reporting.report.results import result_of
from paac_cli.reporting.tables import format_table
from paac_cli.runs.saved_run import SavedRun
from paac_cli.text import format_count, format_score, one_line, shorten

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
#: Column -> the smallest width of a terminal in which it is shown.
_COLUMNS = {
    "run": 0,
    "status": 0,
    "steps": 0,
    "score": 0,
    "environment": 70,
    "algorithm": 90,
    "preset": 110,
    "seed": 100,
    "age": 60,
    "size": 80,
}
_RIGHT = ("steps", "score", "seed", "age", "size")


def describe_run(path: Path, root: Path, now: float) -> dict[str, Any]:
    """What is known of the run at `path`, for JSON; a run that cannot be read has only its path and the `error`.

    root: names are relative to it. now: seconds since 1970.
    """
    name = str(path.relative_to(root)) if path != root else path.resolve().name
    try:
        run = SavedRun(path)
        return {
            "run": name,
            "path": str(path),
            "status": str(run.status),
            "reason": run.failure,
            "preset": run.preset,
            "environment": run.config.env.id,
            "rules": run.config.env.rules,
            "algorithm": run.algorithm,
            "seed": run.config.seed,
            "steps": run.steps,
            "total_steps": run.config.training.total_steps,
            "score": _score(run),
            "age_seconds": max(now - run.changed_at, 0.0),
            "bytes": run.size,
        }
    except (PaacError, OSError) as error:
        return {"run": name, "path": str(path), "error": str(error)}


def list_runs(paths: Sequence[Path], root: Path) -> list[dict[str, Any]]:
    """`describe_run` of each of `paths`."""
    now = time.time()
    return [describe_run(path, root, now) for path in paths]


def _score(run: SavedRun) -> float | None:
    """Mean return of the best policy; before there is one, that of the latest games; None before the first game."""
    if run.best is not None and run.best.score is not None:
        return run.best.score
    return result_of(run).latest


def format_runs(runs: Sequence[dict[str, Any]], width: int | None) -> str:
    """`list_runs` as a table, and below it why runs have failed. width: of the terminal; None: not limited."""
    names = [name for name, smallest in _COLUMNS.items() if width is None or width >= smallest]
    rows = [[_cells(run).get(name, "") for name in names] for run in runs]
    problems = [
        f"{one_line(run['run'])}: {shorten(one_line(_without_traceback(problem)), 600)}"
        for run in runs
        if (problem := run.get("error") or run.get("reason"))
    ]
    return "\n".join([format_table(names, rows, right=_RIGHT, width=width), *problems])


def _without_traceback(reason: str) -> str:
    """The lines of `reason` that are not part of a traceback, as one line."""
    lines = [line for line in reason.splitlines() if line and not line[0].isspace()]
    lines = [line for line in lines if not line.startswith("Traceback (most recent call last)")]
    return re.sub(r"([^:.])\n", r"\1. ", "\n".join(lines)).replace("\n", " ")


def _cells(run: dict[str, Any]) -> dict[str, str]:
    if "error" in run:
        return {"run": run["run"], "status": "unreadable"}
    return {
        "run": run["run"],
        "status": run["status"],
        "steps": f"{format_count(run['steps'])} of {format_count(run['total_steps'])}",
        "score": "" if run["score"] is None else format_score(run["score"]),
        "environment": run["environment"].removeprefix("ALE/"),
        "algorithm": run["algorithm"],
        "preset": run["preset"],
        "seed": str(run["seed"]),
        "age": _age(run["age_seconds"]),
        "size": f"{run['bytes'] / 1e6:,.1f} MB",
    }


def _age(seconds: float) -> str:
    length, unit = next(((length, unit) for length, unit in _UNITS if seconds >= length), _UNITS[-1])
    return f"{seconds / length:.0f} {unit}"
