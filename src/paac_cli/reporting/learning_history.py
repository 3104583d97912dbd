"""What is remembered of a run's metrics, from its start through all sessions, to show and judge how it learns."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from paac_cli.runs.metrics_csv import WINDOW, read_rows

_MOST_ROWS = 512  # that are kept; enough for a curve as wide as a terminal
_RECENT = 20  # rows from which the present speed is computed


class Row(NamedTuple):
    """One row of metrics."""

    steps: int
    metrics: Mapping[str, float]

    def get(self, name: str) -> float:
        """The value of a metric; NaN if the row has none."""
        return self.metrics.get(name, math.nan)

    @property
    def mean_return(self) -> float:
        return self.get("rollout/ep_rew_mean")

    @property
    def evaluation(self) -> float:
        """Mean return of the evaluation at this step; NaN without one."""
        return self.get("eval/ep_rew_mean")

    @property
    def score(self) -> float:
        """What ranks policies: the evaluation, or the mean return of 100 games; NaN if there is neither."""
        if math.isfinite(self.evaluation):
            return self.evaluation
        return self.mean_return if self.get("rollout/episodes") >= WINDOW else math.nan  # of fewer it may be luck

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self.get("time/time_elapsed")


class LearningHistory:
    """A `MetricSink` that keeps rows, evenly spread over the run and at most 512, and the best of all."""

    def __init__(self, earlier: Iterable[Row] = ()) -> None:
        """earlier: rows of earlier sessions."""
        self.rows: list[Row] = []
        self.latest: Row | None = None
        self.best: Row | None = None  #: the first with the highest score; of evaluations, once there is one
        self.evaluated: Row | None = None  #: the latest with an evaluation
        self.lowest, self.highest = math.inf, -math.inf  #: mean return of all rows
        self._count = 0
        self._every = 1  # of so many rows, one is kept
        self._recent: deque[Row] = deque(maxlen=_RECENT)
        for row in earlier:
            self._add(row)

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        self.latest = Row(steps, dict(row))
        self._recent.append(self.latest)
        self._add(self.latest)

    @property
    def steps_per_second(self) -> float:
        """Of the latest rows of this session; NaN before the first."""
        if not self._recent:
            return math.nan
        first, last = self._recent[0], self._recent[-1]
        seconds = last.seconds - first.seconds
        return (last.steps - first.steps) / seconds if seconds > 0 else last.get("time/fps")

    @property
    def latest_is_kept(self) -> bool:
        return bool(self.rows) and self.rows[-1] is self.latest

    def _add(self, row: Row) -> None:
        if math.isfinite(row.mean_return):
            self.lowest, self.highest = min(self.lowest, row.mean_return), max(self.highest, row.mean_return)
        if math.isfinite(row.evaluation):
            if self.evaluated is None:
                self.best = None  # mean returns in training are not compared with evaluations
            self.evaluated = row
        counts = self.evaluated in (None, row)
        if counts and row.score > (self.best.score if self.best else -math.inf):
            self.best = row
        if self._count % self._every == 0:
            if len(self.rows) == _MOST_ROWS:
                self.rows = self.rows[::2]
                self._every *= 2
            self.rows.append(row)
        self._count += 1


def rows_before(metrics_csv: Path, resume_at: int) -> Iterator[Row]:
    """The rows of `metrics_csv` up to step `resume_at`; those that can be read, because they are only shown.

    A cell that is not a number is left out.
    """
    try:
        for cells in read_rows(metrics_csv)[1]:
            if int(cells["steps"]) <= resume_at:
                yield Row(
                    int(cells["steps"]), {name: number for name, cell in cells.items() for number in _number(cell)}
                )
    except (OSError, ValueError):
        return


def _number(cell: str) -> Iterator[float]:
    try:
        yield float(cell)
    except ValueError:
        return
