"""Where metrics go. Names are those that Stable-Baselines3 made common; the x-axis is steps."""

import csv
import io
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

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


class Sink(Protocol):
    """Takes rows of metrics, and what is worth saying in between."""

    def metrics(self, steps: int, row: Mapping[str, float]) -> None: ...

    def event(self, text: str) -> None: ...

    def close(self) -> None: ...


class EventLog:
    """`events.log`: what was told while the run went, with the time of day, over all sittings."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def metrics(self, steps: int, row: Mapping[str, float]) -> None:
        pass

    def event(self, text: str) -> None:
        with self._path.open("a") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")

    def close(self) -> None:
        pass


class CsvSink:
    """`metrics.csv`: one row per log interval, written at once."""

    def __init__(self, path: Path, resume_at: int) -> None:
        """resume_at: rows after this step are from a future that is lost; they go."""
        self._path = path
        self._header = self._trim(resume_at)

    def metrics(self, steps: int, row: Mapping[str, float]) -> None:
        self._add_columns([name for name in ("steps", *row) if name not in self._header])
        self._append([steps, *(f"{row[name]:.6g}" if name in row else "" for name in self._header[1:])])

    def event(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass

    def _append(self, cells: list[object]) -> None:
        with self._path.open("a") as file:
            file.write(_line(cells))

    def _add_columns(self, names: list[str]) -> None:
        """An algorithm that first gathers experience has no metrics of learning until it learns."""
        if not names:
            return
        rows = csv.reader(self._path.read_text().splitlines()[1:]) if self._header else ()
        self._header += names
        self._write([_line(self._header), *(_line([*row, *[""] * len(names)]) for row in rows)])

    def _write(self, lines: Iterable[str]) -> None:
        temporary = self._path.with_suffix(".csv.partial")
        temporary.write_text("".join(lines))
        temporary.replace(self._path)

    def _trim(self, resume_at: int) -> list[str]:
        """Drop rows after `resume_at` and a torn last line; returns the header."""
        if not self._path.exists():
            return []
        lines = [line for line in self._path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        kept = lines[:1] + [line for line in lines[1:] if _steps_of(line) <= resume_at]
        self._write(kept)
        return next(csv.reader(kept[:1]), [])


def _line(cells: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _steps_of(line: str) -> float:
    """The steps of a row of metrics.csv; of a garbled one, infinity."""
    number = line.partition(",")[0]
    return int(number) if number.isdecimal() else math.inf


class TensorBoardSink:
    """TensorBoard event files, written without TensorFlow's graph machinery.

    The files carry a session-start mark at the step of the resume, by which TensorBoard itself drops
    what an earlier sitting wrote after its last checkpoint.
    """

    def __init__(self, directory: Path, resume_at: int) -> None:
        self._writer = EventFileWriter(str(directory))
        if resume_at:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._writer.add_event(event_pb2.Event(wall_time=time.time(), step=resume_at + 1, session_log=start))

    def metrics(self, steps: int, row: Mapping[str, float]) -> None:
        values = [summary_pb2.Summary.Value(tag=name, simple_value=value) for name, value in row.items()]
        summary = summary_pb2.Summary(value=values)
        self._writer.add_event(event_pb2.Event(wall_time=time.time(), step=steps, summary=summary))
        self._writer.flush()

    def event(self, text: str) -> None:
        pass

    def close(self) -> None:
        self._writer.close()
