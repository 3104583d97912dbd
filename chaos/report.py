"""results/reliability.md, from the numbers of results/reliability.json."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

Trial = Mapping[str, Any]  #: `made`, how it was done; `tally`, what it came to

_HEAD = """# What was done to it, and what was lost

`make chaos` made this. Each trial does, over and over and at random, one thing that goes wrong in the life of a run,
and counts what is lost: results that differ from those of an undisturbed run, damage that is not noticed, errors that
do not say what is wrong, what is left behind. The goal is 0, everywhere. `chaos/` has the trials.
"""


def page(trials: Mapping[str, Trial]) -> str:
    """The whole report, of the trials that were run."""
    rows = ["| trial | tried | what | lost | time |", "|---|---|---|---|---|"]
    rows += [_row(name, trial["tally"]) for name, trial in trials.items()]
    return "\n".join([_HEAD, *rows, "", *(_section(name, trial) for name, trial in trials.items())])


def _row(name: str, tally: Mapping[str, Any]) -> str:
    lost = f"**{tally['lost']:,}**" if tally["lost"] else "0"
    return f"| `{name}` | {tally['tried']:,} | {tally['what']} | {lost} | {_time(tally['seconds'])} |"


def _section(name: str, trial: Trial) -> str:
    """What is worth a line of a trial, and how, where and with what it was done."""
    made, notes = trial["made"], [_indented(note) for note in trial["tally"]["notes"]]
    machine = made["machine"]
    numbers = ", ".join(f"{key} {number:g}" for key, number in made["arguments"].items())
    origin = (
        f"`{made['command']}` at commit {made['commit']}, {made['date']}, seed {made['seed']}, {numbers}. "
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory']} of memory, "
        f"Linux {machine['kernel']}, Python {machine['python']}."
    )
    return "\n".join([f"## `{name}`", "", *notes, *([""] if notes else []), origin, ""])


def _indented(note: str) -> str:
    """A note as an item of a list, however many lines it has."""
    first, *rest = note.splitlines()
    return "\n".join([f"- {first}", *(f"      {line}" for line in rest)])


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
