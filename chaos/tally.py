"""What a trial comes to."""

from typing import NamedTuple


class Tally(NamedTuple):
    """What one trial did."""

    what: str  #: e.g. "checkpoint bytes flipped"
    tried: int
    lost: int  #: mismatches, undetected damages, untyped errors: the goal is 0
    seconds: float
    notes: tuple[str, ...] = ()  #: evidence of each loss; what else is worth a line
