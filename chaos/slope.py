"""How fast something grows, and how sure that is."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCKS = 20
_QUANTILE = 2.101  # of Student's t with 18 degrees of freedom: 2.5 % lie above it


class Slope(NamedTuple):
    """A straight line's rise per hour, and the bounds between which it lies with 95 % confidence."""

    per_hour: float
    low: float
    high: float


def slope(hours: NDArray[np.float64], values: NDArray[np.float64]) -> Slope:
    """The line through `values` [K] at `hours` [K], in the order of time.

    Least squares on the means of 20 blocks that follow one another. What a process takes moves in steps that last, so
    that neighbouring samples say nothing new; blocks are long enough to be taken as independent.
    Raises ValueError where there are fewer samples than blocks.
    """
    if len(hours) < _BLOCKS:
        raise ValueError(f"{len(hours)} samples are too few for {_BLOCKS} blocks")
    x, y = (np.array([part.mean() for part in np.array_split(of, _BLOCKS)]) for of in (hours, values))
    spread = float(np.sum((x - x.mean()) ** 2))
    rise = float(np.sum((x - x.mean()) * (y - y.mean()))) / spread
    residual = y - y.mean() - rise * (x - x.mean())
    margin = _QUANTILE * math.sqrt(float(np.sum(residual**2)) / (_BLOCKS - 2) / spread)
    return Slope(rise, rise - margin, rise + margin)
