"""What a trial reports."""

from typing import NamedTuple


class TrialResult(NamedTuple):
    """The outcome of one trial."""

    description: str  #: of what was tried, e.g. "damaged files of a checkpoint"
    tried: int
    failures: int  #: different results, undetected damage, unexpected errors, leftovers; the goal is 0
    seconds: float
    notes: tuple[str, ...] = ()  #: a summary, then one note for each failure
