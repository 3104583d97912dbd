"""Keeps the current directory off the path on which helper processes search for modules."""

import contextlib
import os
from collections.abc import Iterator

_VARIABLE, _BY_PAAC = "PYTHONSAFEPATH", "paac"


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Python processes that are started in this block run as with `python -P`.

    Otherwise they would search the current directory first, and a file like `queue.py` there would be imported.
    """
    previous = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = previous or _BY_PAAC
    try:
        yield
    finally:
        if previous is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = previous


def forget_safe_path() -> None:
    """Undo `safe_path` in a process that was started in its block, for the programs that this process starts."""
    if os.environ.get(_VARIABLE) == _BY_PAAC:
        del os.environ[_VARIABLE]
