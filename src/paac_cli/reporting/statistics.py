"""Statistics over a few seeds, as Agarwal et al. 2021 (arXiv 2108.13264) recommend; their library is rliable.

`scores` are [..., runs, tasks]: one row per seed, one column per game. A statistic is computed for each index of the
leading axes, such as the resamples of a bootstrap.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

_RESAMPLES = 2_000
_SEED = 0  # the same runs always give the same interval
_AT_ONCE = 10**6  # numbers, or pairs of them, in resamples that are computed together


class ConfidenceInterval(NamedTuple):
    """An estimate and its 95 % confidence interval."""

    value: float
    low: float
    high: float


def interquartile_mean(scores: Scores) -> Scores:
    """The mean of the middle half, [...]: the lowest and the highest 25 % of all scores are left out.

    As `scipy.stats.trim_mean` with 0.25: of K scores, floor(K / 4) are left out on either side.
    """
    ordered = np.sort(scores.reshape(*scores.shape[:-2], -1), axis=-1)
    cut = ordered.shape[-1] // 4
    return np.asarray(ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1))


def probability_of_improvement(scores: Scores, others: Scores) -> Scores:
    """The probability that a run of `scores` beats a run of `others` in a task, averaged over tasks, [...].

    Ties count half. It is the Mann-Whitney statistic, divided by the number of pairs. Both must have the same tasks.
    """
    own, their = scores[..., :, None, :], others[..., None, :, :]
    return np.asarray(((own > their) + 0.5 * (own == their)).mean(axis=(-3, -2, -1)))


def performance_profile(scores: Scores, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The fraction of all `scores` [runs, tasks] above each of `thresholds` [K]; [K]."""
    return (scores.reshape(-1, 1) > thresholds).mean(axis=0)


def bootstrap(statistic: Callable[..., Scores], *groups: Scores) -> ConfidenceInterval:
    """`statistic(*groups)` and its percentile interval under a stratified bootstrap. groups: each [runs, tasks].

    Each resample draws as many runs as there are, with replacement, for each task and each group by itself. With one
    run per task, nothing can vary, and the interval is the value itself.
    """
    rng = np.random.default_rng(_SEED)
    at_once = max(1, _AT_ONCE // max(scores.size for scores in groups) ** 2)
    values = [
        statistic(*(_resample(scores, min(at_once, _RESAMPLES - start), rng) for scores in groups))
        for start in range(0, _RESAMPLES, at_once)
    ]
    low, high = np.percentile(np.concatenate(values), [2.5, 97.5])
    return ConfidenceInterval(float(statistic(*groups)), float(low), float(high))


def _resample(scores: Scores, number: int, rng: np.random.Generator) -> Scores:
    """[number, runs, tasks]."""
    runs = rng.integers(len(scores), size=(number, *scores.shape))
    return np.take_along_axis(scores[None], runs, axis=1)


def interquartile_curve(curves: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """The interquartile mean of `curves` [runs, tasks, points], and the ends of its interval; each [points].

    Resamples are as those of `bootstrap`. They draw whole curves, so that neighbouring points belong together.
    """
    draws = np.random.default_rng(_SEED).integers(len(curves), size=(_RESAMPLES, *curves.shape[:2]))
    values = [
        interquartile_mean(np.take_along_axis(curves[None, :, :, point], draws, axis=1))
        for point in range(curves.shape[2])  # all at once would need gigabytes
    ]
    low, high = np.percentile(values, [2.5, 97.5], axis=1)
    return interquartile_mean(np.moveaxis(curves, 2, 0)), low, high
