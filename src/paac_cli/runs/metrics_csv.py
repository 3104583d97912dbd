"""`metrics.csv`: its columns, and how it is read and written.

Column names follow Stable-Baselines3. The first column is `steps`, in agent steps.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from paac_cli.files import open_regular

#: Column -> its meaning. Algorithms add columns under `train/`. docs/metrics.md shows this table.
METRICS = {
    "rollout/ep_rew_mean": "mean raw score of the last 100 games",
    "rollout/ep_len_mean": "mean length of the last 100 games, in agent steps",
    "rollout/episodes": "games finished since the start of the run",
    "time/fps": "agent steps per second since the previous row",
    "time/time_elapsed": "seconds of training, over all sessions",
    "time/frames": "emulator frames since the start of the run",
    "time/updates": "updates since the start of the run",
    "time/restarts": "workers restarted in this session",
    "time/act_share": "fraction of the time spent choosing actions",
    "time/env_share": "fraction of the time spent waiting for the environments",
    "time/learn_share": "fraction of the time spent updating the weights",
}


def depends_on_clock(column: str) -> bool:
    """Whether a column depends on the machine's speed; all others follow from config and seed."""
    return column in ("time/fps", "time/time_elapsed", "time/restarts") or column.endswith("_share")


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a `metrics.csv`, without incomplete or garbled lines.

    Raises OSError, or ValueError if the file is not a table of metrics.
    """
    with open_regular(path) as file:
        lines = file.read().decode(errors="replace").splitlines(keepends=True)
    try:
        columns, *rows = csv.reader(line for line in lines if line.endswith("\n"))
    except csv.Error as error:
        raise ValueError(f"not a CSV table: {error}") from error
    except ValueError:  # killed before the first line was complete
        return [], []
    if columns[:1] != ["steps"]:
        raise ValueError("the first column is not 'steps'")
    whole = (row for row in rows if len(row) == len(columns) and re.fullmatch("[0-9]{1,18}", row[0]))
    return columns, [dict(zip(columns, row, strict=True)) for row in whole]


def to_lines(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """`rows` as lines of the file; a column that a row lacks is left empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([row.get(name, "") for name in columns] for row in rows)
    return text.getvalue().encode()
