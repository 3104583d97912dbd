"""Keeps standard output for results: what other code prints, e.g. a user's algorithm, goes to standard error."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO

_results: TextIO | None = None  # in the block of `kept_for_results`


def results() -> TextIO:
    """The stream for results: standard output, also while `print` writes to standard error."""
    return _results or sys.stdout


def results_descriptor() -> int | None:
    """The file descriptor for results, for a program that prints some; None if they are kept in memory."""
    try:
        return results().fileno()
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def kept_for_results() -> Iterator[None]:
    """In this block, only what is written to `results()` appears on standard output.

    What is printed by Python code, by libraries written in C and by programs that are started goes to standard error.
    """
    global _results
    stdout, outer = sys.stdout, _results
    with contextlib.ExitStack() as stack:
        _results = stack.enter_context(_descriptor_1_freed()) if results_descriptor() == 1 else results()
        sys.stdout = sys.stderr
        try:
            yield
        finally:
            sys.stdout, _results = stdout, outer


@contextlib.contextmanager
def _descriptor_1_freed() -> Iterator[TextIO]:
    """In this block, descriptor 1 leads to standard error; gives a stream to where it led before."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)
    os.dup2(2, 1)
    try:
        yield stream
    finally:
        os.dup2(stream.fileno(), 1)
        with contextlib.suppress(OSError):  # the one who wrote to it has got it before
            stream.close()
