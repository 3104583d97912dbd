"""The growth rate of a measured quantity, with confidence bounds."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCKS = 20
_QUANTILE = 2.101  # 97.5% quantile of Student's t with 18 degrees of freedom


class Growth(NamedTuple):
    """The slope of a straight line per hour, and its 95% confidence bounds."""

    per_hour: float
    low: float
    high: float


def growth(hours: NDArray[np.float64], values: NDArray[np.float64]) -> Growth:
    """The slope of the line through `values` [K] at the times `hours` [K], which must increase.

    Least squares on the means of 20 consecutive blocks. The memory of a process changes in lasting steps, so
    consecutive samples are correlated; block means are treated as independent.
    Raises ValueError if there are fewer samples than blocks.
    """
    if len(hours) < _BLOCKS:
        raise ValueError(f"growth needs at least {_BLOCKS} samples, got {len(hours)}")
    x, y = (np.array([block.mean() for block in np.array_split(array, _BLOCKS)]) for array in (hours, values))
    spread = float(np.sum((x - x.mean()) ** 2))
    slope = float(np.sum((x - x.mean()) * (y - y.mean()))) / spread
    residual = y - y.mean() - slope * (x - x.mean())
    margin = _QUANTILE * math.sqrt(float(np.sum(residual**2)) / (_BLOCKS - 2) / spread)
    return Growth(slope, slope - margin, slope + margin)
