"""A case of a zoo: what is done, and the outcome that a user should see."""

from typing import Any, NamedTuple

_SECONDS = 120.0  # that a case may take, on two busy cores
MESSAGE_LINES = 14  #: of a failing command: a message, not a page
_TRACEBACK_LINES = 60  # with the traceback of an environment's own code


class Outcome(NamedTuple):
    """What a user should see. Nothing may remain afterwards: no process, shared memory, or temporary file."""

    codes: tuple[int, ...]  #: allowed exit codes
    words: tuple[str, ...] = ()  #: that the output contains, in any case; "a|b" is one of them
    without: tuple[str, ...] = ()  #: words that it must not contain
    lines: int = _TRACEBACK_LINES  #: of output at most
    seconds: float = _SECONDS


class Case(NamedTuple):
    """One case."""

    name: str  #: unique in its zoo, e.g. "step-hangs"
    what: str  #: what is done, one line
    script: str  #: for bash; its exit code is the case's
    expected: Outcome


def ends_well(*words: str, **outcome: Any) -> Outcome:
    """Exit code 0, and `words` in the output."""
    return Outcome((0,), words, **outcome)


def fails(code: int, *words: str, **outcome: Any) -> Outcome:
    """Exit code `code`, and one message of a few lines that contains `words`."""
    return Outcome((code,), words, **({"lines": MESSAGE_LINES} | outcome))


def fails_with_traceback(*words: str, **outcome: Any) -> Outcome:
    """Exit code 1, and a message with the traceback of the environment's own code, but of nothing else."""
    return Outcome((1,), words, **outcome)
