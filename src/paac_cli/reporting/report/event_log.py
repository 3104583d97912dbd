"""Reads the events of a run for a report."""

import os
import re
from typing import NamedTuple

from paac_cli.files import open_regular
from paac_cli.runs.saved_run import SavedRun

_MAX_BYTES = 1_000_000  # the end of a longer file is read
MAX_EVENTS = 200  #: in a report, the latest
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z (.*)")


class LoggedEvent(NamedTuple):
    """One event."""

    time: str  #: e.g. "2026-01-31 12:00:00", in UTC
    text: str  #: one or more lines


def read_events(run: SavedRun) -> list[LoggedEvent]:
    """The latest events of `run`, in order; none if its log cannot be read.

    A link is not followed: a run directory may come from somebody else, and the link may lead to a file of the user.
    """
    path = run.path / "events.log"
    if path.is_symlink():
        return []
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _MAX_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    events: list[LoggedEvent] = []
    for line in lines:
        if found := _TIME.fullmatch(line):
            events.append(LoggedEvent(f"{found[1]} {found[2]}", found[3]))
        elif events:
            events[-1] = events[-1]._replace(text=f"{events[-1].text}\n{line}")
    return events[-MAX_EVENTS:]
