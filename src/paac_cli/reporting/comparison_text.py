"""Formats a comparison as text, Markdown and CSV."""

import csv
import io
from typing import Any

from paac_cli.reporting.statistics import ConfidenceInterval
from paac_cli.reporting.tables import format_markdown, format_table
from paac_cli.text import clock, counted, format_score, one_line, ranges, shorten

_RIGHT = ("final", "best", "human", "steps", "time", "steps/s")
_INTERVALS = ("final", "best", "human_normalised")
_UNKNOWN = "-"  # in place of a setting's value


def format_text(comparison: dict[str, Any], width: int | None) -> str:
    """For a terminal with `width` columns; None: not limited."""
    tables = [format_table(columns, rows, right=_RIGHT, width=width) for columns, rows in _tables(comparison)]
    return "\n\n".join([*tables, "\n".join(_notes(comparison))])


def format_markdown_page(comparison: dict[str, Any]) -> str:
    """For a page in Markdown."""
    tables = [format_markdown(columns, rows, right=_RIGHT) for columns, rows in _tables(comparison)]
    return "\n\n".join([*tables, "\n".join(f"- {note}" for note in _notes(comparison))])


def format_csv(comparison: dict[str, Any]) -> str:
    """The rows alone. An interval becomes three columns, and numbers of seeds and runs are joined by spaces."""
    text = io.StringIO()
    rows = [dict(_flat(row)) for row in comparison["rows"]]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def _flat(row: dict[str, Any]) -> list[tuple[str, Any]]:
    cells: list[tuple[str, Any]] = []
    for name, value in row.items():
        if name in _INTERVALS:
            cells += zip((name, f"{name}_low", f"{name}_high"), value or (None, None, None), strict=True)
        else:
            cells.append((name, " ".join(map(str, value)) if isinstance(value, list) else value))
    return cells


def _tables(comparison: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """Columns and rows of each table that has any."""
    rows = comparison["rows"]
    names = ["game", "algorithm", "seeds", "final", "best", "human", "steps to", "time to", "steps/s"]
    tables = [(names, [_cells(row) for row in rows])]
    if not any(row["human_normalised"] for row in rows):
        tables = [_without(*tables[0], "human")]
    if all(row["threshold"] is None for row in rows):
        tables = [_without(*_without(*tables[0], "steps to"), "time to")]
    if comparison["differences"]:
        labels = list(dict.fromkeys(row["label"] for row in rows))
        settings = [
            [difference["setting"], *(_setting(difference["values"], label) for label in labels)]
            for difference in comparison["differences"]
        ]
        tables.append((["setting", *labels], settings))
    return tables


def _without(columns: list[str], rows: list[list[str]], name: str) -> tuple[list[str], list[list[str]]]:
    index = columns.index(name)
    return columns[:index] + columns[index + 1 :], [row[:index] + row[index + 1 :] for row in rows]


def _cells(row: dict[str, Any]) -> list[str]:
    reached, runs = row["reached"], len(row["seeds"])
    goal = "" if row["threshold"] is None else f"{row['threshold']:g}: "
    steps, minutes = row["steps_to_threshold"], row["minutes_to_threshold"]
    some = "" if reached == runs else f" ({reached} of {runs})"
    return [
        row["game"],
        row["label"],
        _seeds(row["seeds"]),
        _interval(row["final"]),
        "" if row["best"] is None else _interval(row["best"]),
        "" if row["human_normalised"] is None else _interval(row["human_normalised"], percent=True),
        goal and f"{goal}{'not reached' if steps is None else f'{steps:,.0f}{some}'}",
        "" if minutes is None else clock(60 * minutes),
        "" if row["steps_per_second"] is None else f"{row['steps_per_second']:,.0f}",
    ]


def _seeds(seeds: list[int]) -> str:
    """E.g. "1-3, 7"; the number of runs where a seed occurs twice."""
    return ", ".join(ranges(seeds)) if len(set(seeds)) == len(seeds) else counted(len(seeds), "run")


def _setting(values: dict[str, Any], label: str) -> str:
    return _UNKNOWN if values.get(label) is None else shorten(str(values[label]), 60)


def _interval(interval: ConfidenceInterval, *, percent: bool = False) -> str:
    """E.g. "18.2 [17.9, 18.5]"; without brackets if the interval is a single value."""
    value, low, high = (f"{number:.1%}" if percent else format_score(number) for number in interval)
    return value if interval.low == interval.high else f"{value} [{low}, {high}]"


def _notes(comparison: dict[str, Any]) -> list[str]:
    """What the tables do not say, one sentence each."""
    notes = [
        "final: the mean raw return of the last 100 games in training, or of all games if there are fewer; best: the "
        "highest mean of 100 games; interquartile means over seeds, with 95 % bootstrap intervals"
    ]
    labels = {row["label"] for row in comparison["rows"]}
    values = [_setting(each["values"], label) for each in comparison["differences"] for label in labels]
    if _UNKNOWN in values:
        notes.append(
            f"settings are compared within each game; '{_UNKNOWN}': not set, or no difference from other rows of that "
            "game"
        )
    games = {row["game"] for row in comparison["rows"]}
    if len({game.partition(",")[0] for game in games}) < len(games):
        notes.append("the same game under other rules has a row of its own: its scores are not comparable")
    for row in comparison["overall"]:
        rules = f" (under several rule sets: {'; '.join(row['rules'])})" if len(row["rules"]) > 1 else ""
        score = row["human_normalised"]
        mean = (
            "no mean, because that needs as many seeds in each game"
            if score is None
            else f"human-normalised {_interval(score, percent=True)}"
        )
        notes.append(f"{row['label']} over {counted(row['games'], 'game')}{rules}: {mean}")
    for row in comparison["improvement"]:
        notes.append(
            f"probability that a run of {row['label']} ends above one of {row['over']}, in "
            f"{counted(len(row['games']), 'game')}: {_interval(row['probability'], percent=True)}"
        )
    if comparison["left_out"]:
        notes.append(f"left out, because metrics.csv has no mean return: {', '.join(comparison['left_out'])}")
    return [one_line(note) for note in notes]
