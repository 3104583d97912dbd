"""`metrics.csv`: its columns, and how it is read and written.

Names are those that Stable-Baselines3 made common; the x-axis is steps.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from paac_cli.files import open_regular

#: Column of metrics.csv -> what it is. Algorithms add their own under `train/`.
METRICS = {
    "rollout/ep_rew_mean": "mean raw score of the last 100 games",
    "rollout/ep_len_mean": "mean length of the same games, in agent steps",
    "rollout/episodes": "games finished since the start",
    "time/fps": "agent steps per second since the row before",
    "time/time_elapsed": "seconds of training, over all sittings",
    "time/frames": "emulator frames since the start",
    "time/updates": "times that the algorithm has learned from what was played, since the start",
    "time/restarts": "workers that were lost and replaced in this sitting",
    "time/act_share": "share of the time spent choosing actions",
    "time/env_share": "share of the time spent waiting for the environments",
    "time/learn_share": "share of the time spent updating the weights",
}


def is_of_the_clock(column: str) -> bool:
    """Whether a column says how the run went on its machine; all others follow from the seed."""
    return column in ("time/fps", "time/time_elapsed", "time/restarts") or column.endswith("_share")


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a `metrics.csv`, without what is torn or garbled.

    Raises OSError, and ValueError where it is none.
    """
    with open_regular(path) as file:
        lines = file.read().decode(errors="replace").splitlines(keepends=True)
    try:
        columns, *rows = csv.reader(line for line in lines if line.endswith("\n"))
    except csv.Error as error:
        raise ValueError(f"it is no table: {error}") from error
    except ValueError:  # killed before the first line was whole
        return [], []
    if columns[:1] != ["steps"]:
        raise ValueError("it is no table that begins with steps")
    whole = (row for row in rows if len(row) == len(columns) and re.fullmatch("[0-9]{1,18}", row[0]))
    return columns, [dict(zip(columns, row, strict=True)) for row in whole]


def to_lines(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """The rows as they stand in the file; what a row lacks stays empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([row.get(name, "") for name in columns] for row in rows)
    return text.getvalue().encode()
