"""How far a run has come and how well its policy plays."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from paac_cli.reporting.statistics import ConfidenceInterval, bootstrap, interquartile_mean
from paac_cli.runs.metrics_csv import number_in
from paac_cli.runs.run_record import Status
from paac_cli.runs.saved_run import RETURN, SavedRun


class Result(NamedTuple):
    """What a run has reached. None where it is not known."""

    status: Status
    reason: str  #: of a failure
    steps: int
    games: int | None
    seconds: float | None  #: of training, over all sessions
    best: float | None  #: mean return of the best policy; without a checkpoint, the highest of 100 games in the metrics
    best_steps: int | None  #: at which it was reached
    is_evaluated: bool  #: whether `best` is that of an evaluation, and not of games in training
    latest: float | None  #: mean return of the latest games

    @property
    def speed(self) -> float | None:
        """Steps per second of training."""
        return self.steps / self.seconds if self.seconds else None


def result_of(run: SavedRun) -> Result:
    """The result of `run` so far. Raises RunDirectoryError."""
    saved = run.last_saved
    row = {name: number_in(text) for name, text in run.last_row.items()}
    games, seconds = row.get("rollout/episodes", math.nan), row.get("time/time_elapsed", math.nan)
    latest = row.get(RETURN, math.nan)
    if saved is not None and saved.counters.steps > row.get("steps", 0):  # a run may end between two rows
        games, seconds = saved.counters.episodes, saved.counters.seconds
        latest = latest if saved.score is None else saved.score
    best, best_steps = _best(run)
    return Result(
        status=run.status,
        reason=run.failure,
        steps=run.steps,
        games=None if math.isnan(games) else int(games),
        seconds=None if math.isnan(seconds) else seconds,
        best=best,
        best_steps=best_steps,
        is_evaluated=run.best is not None and run.best.is_evaluated,
        latest=None if math.isnan(latest) else latest,
    )


def mean_of_best(results: Sequence[Result]) -> ConfidenceInterval | None:
    """The interquartile mean of the best mean returns; None unless all are known and of the same kind."""
    scores = [result.best for result in results]
    if not scores or None in scores or len({result.is_evaluated for result in results}) > 1:
        return None
    return bootstrap(interquartile_mean, np.array(scores, np.float64)[:, None])


def _best(run: SavedRun) -> tuple[float | None, int | None]:
    if run.best is not None and run.best.score is not None:
        return run.best.score, run.best.counters.steps
    returns = run.full_means[RETURN]
    if not len(returns):
        return None, None
    row = int(np.argmax(returns))
    return float(returns[row]), int(run.full_means["steps"][row])
