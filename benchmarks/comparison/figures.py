"""Medians, spreads and ratios of what was measured in rounds."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from comparison.targets import TIE

#: Contestant -> what it measured in this round, or {"failed": why}.
Round = Mapping[str, Mapping[str, Any]]


class Spread(NamedTuple):
    median: float
    low: float
    high: float

    def overlaps(self, other: "Spread") -> bool:
        return self.low <= other.high and other.low <= self.high


def spread(figures: Collection[float]) -> Spread | None:
    """Of no figures, None."""
    return Spread(statistics.median(figures), min(figures), max(figures)) if figures else None


def figures(rounds: Sequence[Round], contestant: str, key: str) -> dict[int, float]:
    """Round -> figure, of the rounds that gave one."""
    found = ((number, results.get(contestant, {}).get(key)) for number, results in enumerate(rounds))
    return {number: float(figure) for number, figure in found if figure is not None}


def ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    """Ours over theirs, in each round that has both."""
    return [ours[number] / theirs[number] for number in ours if number in theirs]


def fastest(rounds: Sequence[Round], contestants: Sequence[str], key: str) -> str:
    """The one whose median is the highest; of those that never gave a figure, the first."""

    def median(contestant: str) -> float:
        found = spread(figures(rounds, contestant, key).values())
        return found.median if found else 0.0

    return max(contestants, key=median)


def verdict_of_scaling(now: Spread, best: Spread) -> str:
    """Whether `now` is no slower than the `best` of fewer environments."""
    change = now.median / best.median - 1
    if change >= 0:
        return "yes"
    if change > -TIE and now.overlaps(best):
        return f"yes: a tie ({change:.1%}, within the spread)"
    return f"**no** ({change:.1%})"


def failures(rounds: Sequence[Round]) -> list[str]:
    """One line for every contestant that has failed, with its last reason."""
    told = []
    for contestant in rounds[0] if rounds else ():
        reasons = [results[contestant]["failed"] for results in rounds if "failed" in results.get(contestant, {})]
        if reasons:
            told.append(f"{contestant} failed in {len(reasons)} of {len(rounds)} rounds: {reasons[-1]}")
    return told
