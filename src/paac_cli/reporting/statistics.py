"""Statistics over a few seeds, as Agarwal et al. 2021 (arXiv 2108.13264) recommend; their library is rliable.

`scores` are [runs, tasks]: one row per seed, one column per game.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

_RESAMPLES = 2_000
_SEED = 0  # the same runs always give the same interval


class Interval(NamedTuple):
    """An estimate and its 95 % confidence interval."""

    value: float
    low: float
    high: float


def interquartile_mean(scores: Scores) -> float:
    """The mean of the middle half: the lowest and the highest 25 % of all scores are left out.

    As `scipy.stats.trim_mean` with 0.25: of K scores, floor(K / 4) are left out on either side.
    """
    return float(_trimmed(scores.reshape(1, -1))[0])


def bootstrap(statistic: Callable[..., float], *groups: Scores) -> Interval:
    """`statistic(*groups)` and its percentile interval under a stratified bootstrap.

    Each resample draws as many runs as there are, with replacement, for each task and each group by itself. With one
    run per task, nothing can vary, and the interval is the value itself.
    """
    rng = np.random.default_rng(_SEED)
    values = [statistic(*(_resample(scores, rng) for scores in groups)) for _ in range(_RESAMPLES)]
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(statistic(*groups), float(low), float(high))


def _resample(scores: Scores, rng: np.random.Generator) -> Scores:
    runs = rng.integers(len(scores), size=scores.shape)
    return np.take_along_axis(scores, runs, axis=0)


def probability_of_improvement(scores: Scores, others: Scores) -> float:
    """The probability that a run of `scores` beats a run of `others` in a task, averaged over tasks; ties count half.

    The Mann-Whitney statistic, divided by the number of pairs. The tasks of both must be the same.
    """
    wins = scores[:, None] > others[None]
    ties = scores[:, None] == others[None]
    return float((wins + 0.5 * ties).mean())


def performance_profile(scores: Scores, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The fraction of all scores above each of `thresholds` [K]; [K]."""
    return (scores.reshape(-1, 1) > thresholds).mean(axis=0)


def interquartile_curve(curves: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """The interquartile mean of `curves` [runs, tasks, points], and the ends of its interval; each [points].

    Resamples are as those of `bootstrap`. They draw whole curves, so that neighbouring points belong together.
    """
    rng = np.random.default_rng(_SEED)
    runs, tasks, points = curves.shape
    draws = rng.integers(runs, size=(_RESAMPLES, runs, tasks, 1))
    values = np.empty((_RESAMPLES, points))
    for point in range(points):  # all at once would need gigabytes
        resampled = np.take_along_axis(curves[None, :, :, [point]], draws, axis=1)
        values[:, point] = _trimmed(resampled.reshape(_RESAMPLES, -1))
    low, high = np.percentile(values, [2.5, 97.5], axis=0)
    return _trimmed(curves.reshape(-1, points).T), low, high


def _trimmed(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The interquartile mean of each row."""
    ordered, cut = np.sort(scores, axis=1), scores.shape[1] // 4
    return ordered[:, cut : scores.shape[1] - cut].mean(axis=1)
