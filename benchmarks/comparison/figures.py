"""Medians, spreads and ratios of the figures (measured numbers) of all rounds."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from comparison.targets import TIE

#: Contestant -> its figures in this round, or {"failed": reason}.
Round = Mapping[str, Mapping[str, Any]]


class Spread(NamedTuple):
    """Median, minimum and maximum."""

    median: float
    low: float
    high: float

    def overlaps(self, other: "Spread") -> bool:
        return self.low <= other.high and other.low <= self.high


def spread(values: Collection[float]) -> Spread | None:
    """The spread of `values`; None if there are none."""
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def figures(rounds: Sequence[Round], contestant: str, key: str) -> dict[int, float]:
    """Index of the round -> the figure `key` of `contestant`; rounds without it are left out."""
    found = ((number, results.get(contestant, {}).get(key)) for number, results in enumerate(rounds))
    return {number: float(figure) for number, figure in found if figure is not None}


def ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    """Ours divided by theirs, for each round that has both."""
    return [ours[number] / theirs[number] for number in ours if number in theirs]


def fastest(rounds: Sequence[Round], contestants: Sequence[str], key: str) -> str:
    """The contestant with the highest median of `key`; the first contestant if none has that figure."""

    def median(contestant: str) -> float:
        found = spread(figures(rounds, contestant, key).values())
        return found.median if found else 0.0

    return max(contestants, key=median)


def scaling_verdict(now: Spread, best: Spread) -> str:
    """Whether `now` is at least as fast as `best`, the fastest with fewer environments, as text for the report."""
    change = now.median / best.median - 1
    if change >= 0:
        return "yes"
    if change > -TIE and now.overlaps(best):
        return f"yes: a tie ({change:.1%}, within the spread)"
    return f"**no** ({change:.1%})"


def failures(rounds: Sequence[Round]) -> list[str]:
    """One line per contestant that failed in some round, with the latest reason."""
    lines = []
    for contestant in rounds[0] if rounds else ():
        reasons = [results[contestant]["failed"] for results in rounds if "failed" in results.get(contestant, {})]
        if reasons:
            lines.append(f"{contestant} failed in {len(reasons)} of {len(rounds)} rounds: {reasons[-1]}")
    return lines
