"""results/reliability.md, made from the numbers in results/reliability.json."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

Trial = Mapping[str, Any]  #: `origin`: how it was made; `result`: a TrialResult as a dict

_HEAD = """# Reliability

`make chaos` made this page. Each trial repeats, at random moments, one thing that can go wrong in the life of a run,
and counts failures: results that differ from those of an undisturbed run, damage that is not detected, errors without
a clear message, processes or files left behind. The goal is 0 everywhere. The trials are in `chaos/`.
"""


def reliability_page(trials: Mapping[str, Trial]) -> str:
    """The page in Markdown, with a row and a section for each of `trials`, name -> trial."""
    rows = ["| trial | tried | what | failures | time |", "|---|---|---|---|---|"]
    rows += [_row(name, trial["result"]) for name, trial in trials.items()]
    return "\n".join([_HEAD, *rows, "", *(_section(name, trial) for name, trial in trials.items())])


def _row(name: str, result: Mapping[str, Any]) -> str:
    failures = f"**{result['failures']:,}**" if result["failures"] else "0"
    seconds = _time(result["seconds"])
    return f"| `{name}` | {result['tried']:,} | {result['description']} | {failures} | {seconds} |"


def _section(name: str, trial: Trial) -> str:
    """The notes of a trial, and the command, commit, machine and settings that made it."""
    origin, notes = trial["origin"], [_list_item(note) for note in trial["result"]["notes"]]
    machine = origin["machine"]
    settings = {"seed": origin["seed"]} | {key: value for key, value in origin["arguments"].items() if value != ""}
    made = (
        f"`{origin['command']}` at commit {origin['commit']}, {origin['date']}, "
        f"{', '.join(f'{key} {_value(value)}' for key, value in settings.items())}. "
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory']} of memory, "
        f"Linux {machine['kernel']}, Python {machine['python']}."
    )
    return "\n".join([f"## `{name}`", "", *notes, *([""] if notes else []), made, ""])


def _list_item(note: str) -> str:
    """A note of one or more lines as an item of a Markdown list."""
    first, *rest = note.splitlines()
    return "\n".join([f"- {first}", *(f"      {line}" for line in rest)])


def _value(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
