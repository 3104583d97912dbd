"""Where metrics go.

A file that cannot be written when a run starts ends it. One that cannot be written any more does not: what it
should hold waits in memory, is said aloud, and is written as soon as that is possible. A checkpoint is what a
run needs, and where that cannot be written the run ends.
"""

import contextlib
import io
import itertools
import os
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from paac_cli.errors import RunDirectoryError
from paac_cli.files import append_at, make_directory, open_own, replace_synced
from paac_cli.runs.metrics_csv import read_rows, to_lines


class Sink(Protocol):
    """Takes rows of metrics."""

    def metrics(self, steps: int, row: Mapping[str, float]) -> None: ...


class EventLog:
    """`events.log`: what was told while the run went, with the time of day, over all sittings.

    Where it cannot be written, that is no reason to stop: the console has it, too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def event(self, text: str) -> None:
        with contextlib.suppress(OSError), open(self._path, "a", opener=open_own) as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")


class CsvSink:
    """`metrics.csv`: one row per log interval, written at once."""

    def __init__(self, path: Path, resume_at: int, tell: Callable[[str], None]) -> None:
        """resume_at: rows after this step are from a future that is lost; they go. Raises RunDirectoryError."""
        self._path, self._patience = path, _Patience(path, tell)
        self._waiting: list[dict[str, str]] = []
        self._columns: list[str] = []
        self._size = 0  # of the whole rows in the file
        try:
            if path.exists():
                columns, rows = read_rows(path)
                if columns:
                    self._replace(columns, [row for row in rows if int(row["steps"]) <= resume_at])
        except (OSError, ValueError) as error:
            raise RunDirectoryError(f"{path} cannot be used: {error}; it may be moved aside") from error

    def metrics(self, steps: int, row: Mapping[str, float]) -> None:
        self._waiting.append({"steps": str(steps)} | {name: f"{value:.6g}" for name, value in row.items()})
        self._patience.try_to(self._write_waiting)

    def close(self) -> None:
        if self._waiting:
            self._patience.try_to(self._write_waiting)

    def _write_waiting(self) -> None:
        # An algorithm that first gathers experience has no metrics of learning until it learns.
        columns = list(dict.fromkeys([*self._columns, *(name for row in self._waiting for name in row)]))
        if columns == self._columns and self._path.exists():
            lines = to_lines(columns, self._waiting)
            append_at(self._path, self._size, lines)
            self._size += len(lines)
        else:
            rows = read_rows(self._path)[1] if self._path.exists() else []
            self._columns = []  # until the file has them all
            first = int(self._waiting[0]["steps"])
            self._replace(columns, [*(row for row in rows if int(row["steps"]) < first), *self._waiting])
        self._waiting.clear()

    def _replace(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        content = to_lines(columns, [dict(zip(columns, columns, strict=True)), *rows])
        replace_synced(self._path, content)
        self._columns, self._size = columns, len(content)


class TensorBoardSink:
    """TensorBoard event files, written without TensorFlow's graph machinery.

    The files carry a session-start mark at the step of the resume, by which TensorBoard itself drops
    what an earlier sitting wrote after its last checkpoint.
    """

    def __init__(self, directory: Path, resume_at: int, tell: Callable[[str], None]) -> None:
        """Raises RunDirectoryError."""
        now = time.time()
        names = (
            f"events.out.tfevents.{now:010.0f}.{socket.gethostname()}.{os.getpid()}.{n}" for n in itertools.count()
        )
        self._path = next(path for name in names if not (path := directory / name).exists())
        self._patience = _Patience(self._path, tell)
        self._waiting = io.BytesIO()
        self._size = 0  # of the whole records in the file
        self._add(event_pb2.Event(wall_time=now, file_version="brain.Event:2"))
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._add(event_pb2.Event(wall_time=now, step=resume_at + 1, session_log=start))
        try:
            make_directory(directory)
            self._write_waiting()
        except OSError as error:
            raise RunDirectoryError(f"{directory} cannot be used: {error}") from error

    def metrics(self, steps: int, row: Mapping[str, float]) -> None:
        values = [summary_pb2.Summary.Value(tag=name, simple_value=value) for name, value in row.items()]
        self._add(event_pb2.Event(wall_time=time.time(), step=steps, summary=summary_pb2.Summary(value=values)))
        self._patience.try_to(self._write_waiting)

    def close(self) -> None:
        if self._waiting.tell():
            self._patience.try_to(self._write_waiting)

    def _add(self, event: event_pb2.Event) -> None:
        RecordWriter(self._waiting).write(event.SerializeToString())

    def _write_waiting(self) -> None:
        records = self._waiting.getvalue()
        append_at(self._path, self._size, records)
        self._size += len(records)
        self._waiting = io.BytesIO()


class _Patience:
    """Says once that a file cannot be written, and once that it can be again."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path, self._tell = path, tell
        self._has_complained = False

    def try_to(self, write: Callable[[], None]) -> None:
        """`write` raises OSError or ValueError where it cannot, and then leaves what it should write waiting."""
        try:
            write()
        except (OSError, ValueError) as error:
            if not self._has_complained:
                self._tell(f"Warning: {self._path} cannot be written: {error}. Training goes on; what it misses waits")
            self._has_complained = True
        else:
            if self._has_complained:
                self._tell(f"{self._path} can be written again, and misses nothing")
            self._has_complained = False
