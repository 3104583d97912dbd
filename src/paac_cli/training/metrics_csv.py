"""`metrics.csv`, as it is read and written."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from paac_cli.files import open_regular


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
