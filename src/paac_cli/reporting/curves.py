"""Learning curves of series: what `paac plot` draws and `paac compare` measures."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.errors import RunDirectoryError
from paac_cli.reporting.reference_scores import published_scores
from paac_cli.reporting.series import Series
from paac_cli.reporting.statistics import interquartile_curve
from paac_cli.runs.saved_run import RETURN, SavedRun
from paac_cli.text import nearest, one_line

_POINTS = 200  # of a curve over several seeds

STEPS, FRAMES, TIME = "steps", "frames", "time"


class Curve(NamedTuple):
    """A metric of one run, without the rows in which it is missing."""

    x: NDArray[np.float64]  #: [K] agent steps, emulator frames, or minutes of training
    y: NDArray[np.float64]  #: [K]


class Band(NamedTuple):
    """The interquartile mean of a metric over seeds, where all of them have values, and its 95 % interval."""

    x: NDArray[np.float64]  #: [K]
    mean: NDArray[np.float64]  #: [K]
    low: NDArray[np.float64]  #: [K]
    high: NDArray[np.float64]  #: [K]


def read_curve(run: SavedRun, x: str = STEPS, y: str = RETURN) -> Curve:
    """The metric `y` of `run` over `x`. Empty before there is one. Raises RunDirectoryError."""
    if run.last_row and y not in run.last_row:
        hint = nearest(y, run.last_row) or f"; it has {', '.join(list(run.last_row)[1:])}"
        raise RunDirectoryError(f"{run.path} has no metric {one_line(y)}{one_line(hint)}")
    columns = _columns(run, y)
    known = np.isfinite(columns[y])
    steps = columns["steps"][known]
    match x:
        case "frames":
            return Curve(steps * run.config.env.frames_per_step, columns[y][known])
        case "time":
            return Curve(columns["time/time_elapsed"][known] / 60, columns[y][known])
    return Curve(steps, columns[y][known])


def with_values(series: Sequence[Series], y: str = RETURN) -> tuple[list[Series], list[SavedRun]]:
    """`series` with only the runs that have a value of the metric `y`, and the other runs. Raises RunDirectoryError."""
    others = [run for one in series for run in one.runs if not np.isfinite(_columns(run, y)[y]).any()]
    kept = [one._replace(runs=[run for run in one.runs if run not in others]) for one in series]
    return [one for one in kept if one.runs], others


def over_seeds(curves: Sequence[Curve]) -> Band | None:
    """The band of several curves, interpolated between their points; None if they do not overlap."""
    grid = _common_grid(curves)
    if grid is None:
        return None
    return Band(grid, *interquartile_curve(np.array([[np.interp(grid, *curve)] for curve in curves])))


def over_games(series: Sequence[Series], x: str) -> Band | None:
    """The band of human-normalised scores of one label over all its games, which must have equally many seeds."""
    games = [[_normalised(one, read_curve(run, x)) for run in one.runs] for one in series]
    grid = _common_grid([curve for curves in games for curve in curves])
    if grid is None:
        return None
    curves = np.array([[np.interp(grid, *curve) for curve in runs] for runs in zip(*games, strict=True)])
    return Band(grid, *interquartile_curve(curves))


def final_scores(series: Series) -> NDArray[np.float64]:
    """The last mean return of each run, [runs]. Raises RunDirectoryError if a run has none."""
    return np.array([_last(run) for run in series.runs])


def normalised(series: Series, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """`scores` on a scale where random play is 0 and human play is 1; NaN where that is not known of the game."""
    reference = published_scores(series.env)
    return np.full_like(scores, math.nan) if reference is None else reference.human_normalised(scores)


def _columns(run: SavedRun, y: str) -> dict[str, NDArray[np.float64]]:
    return run.columns(["steps", "time/time_elapsed", y])


def _normalised(series: Series, curve: Curve) -> Curve:
    return Curve(curve.x, normalised(series, curve.y))


def _last(run: SavedRun) -> float:
    curve = read_curve(run)
    if not len(curve.y):
        raise RunDirectoryError(f"{run.path} has no mean return in metrics.csv")
    return float(curve.y[-1])


def _common_grid(curves: Sequence[Curve]) -> NDArray[np.float64] | None:
    if not curves or not all(len(curve.x) for curve in curves):
        return None
    first, last = max(curve.x[0] for curve in curves), min(curve.x[-1] for curve in curves)
    return np.linspace(first, last, _POINTS) if first < last else None
