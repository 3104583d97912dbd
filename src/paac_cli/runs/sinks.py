"""Where metrics and events are written.

If a file of metrics cannot be written at the start, the run fails. If it cannot be written later, the run continues: a
warning is logged, and rows wait in memory until they can be written. (But a failed checkpoint ends the run.)
"""

import contextlib
import io
import itertools
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from paac_cli.errors import RunDirectoryError
from paac_cli.events import Alert, Event, Info, Log
from paac_cli.files import append, append_at, make_directory, replace_synced
from paac_cli.runs.metrics_csv import read_rows, to_lines
from paac_cli.text import counted, printable, reason

_ROWS_AT_ONCE = 1000  # while a table is copied


class MetricSink(Protocol):
    """Takes rows of metrics."""

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        """Write `row`, the metrics after `steps` agent steps by name."""


class EventLog:
    """`events.log`: every event of the run with its UTC time, over all sessions.

    An error while writing is ignored: the console shows the same events.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {printable(str(event))}\n"
        with contextlib.suppress(OSError):
            append(self._path, line.encode(errors="backslashreplace"))


class CsvSink:
    """`metrics.csv`: one row per log interval and per evaluation, and one at the end, written without delay."""

    def __init__(self, path: Path, resume_at: int, log: Log) -> None:
        """resume_at: step of the checkpoint from which the run resumes; rows after it are deleted.

        Raises RunDirectoryError.
        """
        self._path, self._retry = path, _RetryingWriter(path, log)
        self._waiting: list[dict[str, str]] = []
        self._columns: list[str] = []
        self._size = 0  # bytes of complete rows in the file
        try:
            if path.exists():
                columns, rows = read_rows(path)
                if columns:
                    self._replace(columns, (row for row in rows if int(row["steps"]) <= resume_at))
        except (OSError, ValueError) as error:
            raise RunDirectoryError(
                f"{path} cannot be used: {reason(error, path)}; move it away to continue without it"
            ) from error

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        self._waiting.append({"steps": str(steps)} | {name: _cell(value) for name, value in row.items()})
        self._retry.attempt(self._write_waiting)

    def close(self) -> None:
        if self._waiting:
            self._retry.attempt(self._write_waiting)
        self._retry.report_lost(len(self._waiting))

    def _write_waiting(self) -> None:
        # New columns can appear: an algorithm that first fills a replay buffer has no learning metrics until then.
        columns = list(dict.fromkeys([*self._columns, *(name for row in self._waiting for name in row)]))
        if columns == self._columns and self._path.exists():
            lines = to_lines(columns, self._waiting)
            append_at(self._path, self._size, lines)
            self._size += len(lines)
        else:
            found, rows = read_rows(self._path) if self._path.exists() else ([], iter(()))
            columns = list(dict.fromkeys([*found, *columns]))  # if replacing it has failed, `_columns` is empty
            self._columns = []  # set again once the file has been replaced
            first = int(self._waiting[0]["steps"])
            earlier = (row for row in rows if int(row["steps"]) < first)
            self._replace(columns, itertools.chain(earlier, self._waiting))
        self._waiting.clear()

    def _replace(self, columns: list[str], rows: Iterable[Mapping[str, str]]) -> None:
        """Replace the file by one with `columns` and `rows`, which may be those that it has now."""
        size, rows = 0, iter(rows)

        def pieces() -> Iterator[bytes]:
            nonlocal size
            batch: list[Mapping[str, str]] = [dict(zip(columns, columns, strict=True))]
            while batch:
                lines = to_lines(columns, batch)
                yield lines
                size += len(lines)
                batch = list(itertools.islice(rows, _ROWS_AT_ONCE))

        replace_synced(self._path, pieces())
        self._columns, self._size = columns, size


def _cell(value: float) -> str:
    """All digits of a count, and six of any other number."""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


class TensorBoardSink:
    """TensorBoard event files, written without TensorFlow.

    Each file starts with a session-start record at the step of the resume. It makes TensorBoard discard the points that
    an earlier session wrote after its last checkpoint.
    """

    def __init__(self, directory: Path, resume_at: int, log: Log) -> None:
        """Raises RunDirectoryError."""
        now = time.time()
        names = (
            f"events.out.tfevents.{now:010.0f}.{socket.gethostname()}.{os.getpid()}.{n}" for n in itertools.count()
        )
        self._path = next(path for name in names if not (path := directory / name).exists())
        self._retry = _RetryingWriter(self._path, log)
        self._waiting, self._waiting_rows = io.BytesIO(), 0
        self._size = 0  # bytes of complete records in the file
        self._add(event_pb2.Event(wall_time=now, file_version="brain.Event:2"))
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._add(event_pb2.Event(wall_time=now, step=resume_at + 1, session_log=start))
        try:
            make_directory(directory)
            self._write_waiting()
        except OSError as error:
            raise RunDirectoryError(f"{directory} cannot be used: {reason(error, directory)}") from error

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        values = [summary_pb2.Summary.Value(tag=name, simple_value=value) for name, value in row.items()]
        self._add(event_pb2.Event(wall_time=time.time(), step=steps, summary=summary_pb2.Summary(value=values)))
        self._waiting_rows += 1
        self._retry.attempt(self._write_waiting)

    def close(self) -> None:
        if self._waiting.tell():
            self._retry.attempt(self._write_waiting)
        self._retry.report_lost(self._waiting_rows)

    def _add(self, event: event_pb2.Event) -> None:
        RecordWriter(self._waiting).write(event.SerializeToString())

    def _write_waiting(self) -> None:
        records = self._waiting.getvalue()
        append_at(self._path, self._size, records)
        self._size += len(records)
        self._waiting, self._waiting_rows = io.BytesIO(), 0


class _RetryingWriter:
    """Logs once when a file cannot be written, once when it can be written again, and what is lost in the end."""

    def __init__(self, path: Path, log: Log) -> None:
        self._path, self._log = path, log
        self._failing = False

    def attempt(self, write: Callable[[], None]) -> None:
        """Call `write`. If it fails, it must raise OSError or ValueError and keep its data for the next attempt."""
        try:
            write()
        except (OSError, ValueError) as error:
            if not self._failing:
                problem = f"{self._path} cannot be written: {reason(error, self._path)}"
                self._log(Alert(f"{problem}. Training continues and keeps the rows in memory"))
            self._failing = True
        else:
            if self._failing:
                self._log(Info(f"{self._path} can be written again; no row is missing"))
            self._failing = False

    def report_lost(self, rows: int) -> None:
        """Log how many rows could not be written until the end, if there are any."""
        if rows:
            self._log(Alert(f"{self._path} could not be written until the end: {counted(rows, 'row')} missing"))
