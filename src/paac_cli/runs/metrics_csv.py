"""`metrics.csv`: its columns, and how it is read and written.

Many column names are those of Stable-Baselines3; docs/metrics.md lists which. The first column is `steps`, in agent
steps.
"""

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paac_cli.files import open_regular

_MAX_BYTES, _MAX_LINE = 1 << 28, 1 << 16  # of a file, and of one of its lines
_STEPS = re.compile("[0-9]{1,18}")

WINDOW = 100  #: number of latest games in a mean return

#: Column -> its meaning. Algorithms add columns under `train/`. docs/metrics.md shows this table.
METRICS = {
    "rollout/ep_rew_mean": "mean raw score of the last 100 games",
    "rollout/ep_len_mean": "mean length of the last 100 games, in agent steps",
    "rollout/episodes": "games finished since the start of the run",
    "rollout/reward_min": "smallest reward in the latest rollout (one step, for algorithms with a replay buffer)",
    "rollout/reward_max": "largest reward there",
    "rollout/success_rate": 'fraction of the last 100 games with `info["is_success"]`, of those that report it',
    "eval/ep_rew_mean": "mean raw score of the games of an evaluation",
    "eval/ep_rew_std": "standard deviation of their scores",
    "eval/ep_len_mean": "mean length of these games, in agent steps",
    "eval/success_rate": 'fraction of these games with `info["is_success"]`, of those that report it',
    "time/fps": "agent steps per second since the previous row",
    "time/time_elapsed": "seconds of training, over all sessions",
    "time/frames": "emulator frames since the start of the run",
    "time/updates": "updates since the start of the run; all updates after one step count as one",
    "time/restarts": "workers restarted in this session",
    "time/act_share": "fraction of the time spent choosing actions",
    "time/env_share": "fraction of the time spent waiting for the environments",
    "time/learn_share": "fraction of the time spent updating the weights",
    "time/eval_share": "fraction of the time spent on an evaluation; no other column counts that time",
}


def depends_on_clock(column: str) -> bool:
    """Whether a column depends on the machine's speed; all others follow from config and seed."""
    return column.startswith("time/") and column not in ("time/frames", "time/updates")


def read_rows(path: Path, *, strict: bool = False) -> tuple[list[str], Iterator[dict[str, str]]]:
    """Columns and rows of a `metrics.csv`, which is read row by row. An incomplete last line is left out.

    strict: a garbled line is an error; otherwise it is left out, too. Raises OSError, or ValueError if the file is not
    such a table or too large; both also while the rows are read.
    """
    lines = _lines(path)
    columns = _header(next(lines, ""))
    return columns, (dict(zip(columns, cells, strict=True)) for cells in _rows(columns, lines, strict))


def read_columns(path: Path, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """These columns of a `metrics.csv`, each [rows]; NaN where a number is missing. Raises as `read_rows` does."""
    lines = _lines(path)
    columns = _header(next(lines, ""))
    positions = [columns.index(name) if name in columns else None for name in names]
    rows = list(_rows(columns, lines, strict=False))
    return {
        name: np.array([math.nan if position is None else number_in(cells[position]) for cells in rows], np.float64)
        for name, position in zip(names, positions, strict=True)
    }


def read_last_row(path: Path) -> dict[str, str]:
    """The last row of a `metrics.csv`; empty if it has none. Reads only the end. Raises as `read_rows` does."""
    with open_regular(path) as file:
        first = file.readline(_MAX_LINE + 1)
        start = max(len(first), file.seek(0, os.SEEK_END) - 2 * _MAX_LINE)
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines(keepends=True)
    columns = _header(first.decode(errors="replace") if first.endswith(b"\n") else "")
    if start > len(first):
        del lines[0]  # its beginning is missing
    complete = [line for line in lines if line.endswith("\n")]
    for cells in _rows(columns, reversed(complete), strict=False):
        return dict(zip(columns, cells, strict=True))
    return {}


def _header(line: str) -> list[str]:
    """The columns in the first line; [] if it is not complete. Raises ValueError."""
    if not line:  # killed before the first line was complete
        return []
    try:
        columns = _cells(line)
    except csv.Error as error:
        raise ValueError(f"not a CSV table: {error}") from error
    if columns[:1] != ["steps"]:
        raise ValueError("the first column is not 'steps'")
    return columns


def _rows(columns: Sequence[str], lines: Iterable[str], strict: bool) -> Iterator[list[str]]:
    for number, line in enumerate(lines, start=2):
        try:
            cells = _cells(line)
        except csv.Error:
            cells = []
        if cells and len(cells) == len(columns) and _STEPS.fullmatch(cells[0]):
            yield cells
        elif strict:
            raise ValueError(f"line {number} is not a row of the table")


def number_in(cell: str) -> float:
    """The number in a cell; NaN if it is empty, or not a finite number."""
    try:
        number = float(cell or "nan")
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _cells(line: str) -> list[str]:
    """Raises csv.Error."""
    if '"' not in line and "\r" not in line:
        return line.removesuffix("\n").split(",")  # as the `csv` module, in a quarter of the time
    return next(csv.reader([line], strict=True), [])


def _lines(path: Path) -> Iterator[str]:
    """The complete lines of the file at `path`. Raises OSError, or ValueError if a line or the file is too long."""
    size = 0
    with open_regular(path) as file:
        while (line := file.readline(_MAX_LINE + 1)).endswith(b"\n"):
            yield line.decode(errors="replace")
            size += len(line)
            if size > _MAX_BYTES:
                raise ValueError(f"larger than {_MAX_BYTES:,} bytes, the limit for a table of metrics")
    if len(line) > _MAX_LINE:
        raise ValueError(f"not a CSV table: a line is longer than {_MAX_LINE:,} bytes")


def to_lines(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """`rows` as lines of the file; a column that a row lacks is left empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([row.get(name, "") for name in columns] for row in rows)
    return text.getvalue().encode()
