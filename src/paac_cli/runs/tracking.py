"""Trackers: services and programs that record the metrics of runs, named by `training.trackers`.

A tracker is an object of a class in `paac_cli.runs.trackers`, or of a user's own (`module:Class`). It works in a thread
of its own: neither its errors nor its delays reach the training. `training/find_trackers.py` imports the classes.
"""

import queue
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self

from paac_cli.errors import RunDirectoryError
from paac_cli.events import Alert, Event, Info, Log
from paac_cli.files import read_regular, replace_synced
from paac_cli.text import counted, describe_error, reason

_MAX_WAITING = 10_000  # rows
_CLOSE_TIMEOUT = 30.0  # seconds for a tracker to finish at the end of a run
_ID = re.compile("[0-9a-f]{16}")

SessionEnd = Literal["finished", "stopped", "failed"]


class TrackedRun(NamedTuple):
    """The run that a tracker records."""

    id: str  #: 16 hexadecimal digits, the same in all sessions of the run, and in no other run
    name: str  #: of the run directory
    directory: Path  #: the run directory
    config: dict[str, Any]  #: all settings, as plain data
    resume_at: int  #: the last step whose row an earlier session has kept; 0: the start of the run


class Tracker(Protocol):
    """Records metrics. All calls come from one thread, which is not the main thread; any of them may raise or wait."""

    def __init__(self, run: TrackedRun) -> None:
        """Begin, or go on with what an earlier session has recorded of the run with `run.id`.

        Rows after `run.resume_at` that it has recorded are going to come again, with the same values but for times.
        """

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        """Record `row`, the metrics after `steps` agent steps by name. Values may be NaN."""

    def close(self, outcome: SessionEnd) -> None:
        """The session ends: the run is finished, was stopped and can be resumed, or has failed."""


def tracking_id(path: Path) -> str:
    """The `TrackedRun.id` in the file at `path`, which is written if there is none. Raises RunDirectoryError."""
    try:
        if path.exists() and _ID.fullmatch(found := read_regular(path, 100).decode(errors="replace").strip()):
            return found
        made = secrets.token_hex(8)
        replace_synced(path, [f"{made}\n".encode()])
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be used: {reason(error, path)}") from error
    return made


class TrackerSink:
    """A `MetricSink` that gives rows to a tracker, in a thread of its own. A context manager: its end ends the tracker.

    The first error of a tracker is logged, with its reason. Rows for which it raises an error are missing in it.
    """

    def __init__(self, name: str, make: Callable[[], Tracker], log: Log, has_finished: Callable[[], bool]) -> None:
        """Start the thread. name: for messages. has_finished: whether the run has reached its end.

        make: makes the tracker. It is called in the thread, and if it fails with each row until it succeeds.
        """
        self._name, self._make, self._log, self._has_finished = name, make, log, has_finished
        self._items = queue.Queue[tuple[int, Mapping[str, float]] | SessionEnd](_MAX_WAITING)
        self._events = queue.SimpleQueue[Event]()  # for the main thread, because logs are not for several threads
        self._tracker: Tracker | None = None
        self._is_failing = self._has_warned = False
        self._refused, self._failed = 0, 0  # rows, counted by the main thread and by that of the tracker
        self._thread = threading.Thread(target=self._serve, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        outcome: SessionEnd = "failed" if kind else "finished" if self._has_finished() else "stopped"
        if self._put(outcome):
            self._thread.join(_CLOSE_TIMEOUT)
        self._log_events()
        if self._thread.is_alive():
            self._log(Alert(f"the tracker {self._name} has not finished; its last rows may be missing"))
        elif missing := self._refused + self._failed:
            self._log(Alert(f"{counted(missing, 'row')} missing in the tracker {self._name}"))

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        if not self._put((steps, dict(row))):
            self._refused += 1
        self._log_events()

    def _put(self, item: tuple[int, Mapping[str, float]] | SessionEnd) -> bool:
        """Whether there is room for it: the tracker may have been waiting for something for a long time."""
        try:
            self._items.put_nowait(item)
        except queue.Full:
            return False
        return True

    def _log_events(self) -> None:
        while not self._events.empty():
            self._log(self._events.get())

    def _serve(self) -> None:
        """Main function of the thread."""
        self._attempt(self._begun)
        while isinstance(item := self._items.get(), tuple):
            if not self._attempt(lambda: self._begun().write(*item)):
                self._failed += 1
        if (tracker := self._tracker) is not None:
            self._attempt(lambda: tracker.close(item), is_last=True)

    def _begun(self) -> Tracker:
        """The tracker, which is made if that has not succeeded before."""
        if self._tracker is None:
            self._tracker = self._make()
        return self._tracker

    def _attempt(self, action: Callable[[], object], *, is_last: bool = False) -> bool:
        """Whether `action` succeeds. is_last: no rows follow, so it does not matter whether the tracker works again."""
        try:
            action()
        except BaseException as error:  # third-party code may raise anything
            if not self._has_warned:
                text = f"the tracker {self._name} failed: {describe_error(error)}"
                self._events.put(Alert(f"{text}. Training continues, and metrics.csv has all rows"))
            self._has_warned = self._is_failing = True
            return False
        if self._is_failing and not is_last:
            self._events.put(Info(f"The tracker {self._name} works again"))
            self._is_failing = False
        return True
