"""What a trial reports."""

from typing import NamedTuple


class TrialResult(NamedTuple):
    """The outcome of one trial."""

    description: str  #: what was tried, e.g. "damaged files of a checkpoint"
    tried: int  #: number of attempts
    failures: int  #: different results, undetected damage, unexpected errors, leftovers; the goal is 0
    seconds: float  #: duration of the trial
    notes: tuple[str, ...] = ()  #: a summary, then one note per failure
