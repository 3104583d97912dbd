"""Errors of environments as text: the traceback of their own code, without the frames of what called it."""

import sys
import traceback
from pathlib import Path

import paac_cli
from paac_cli.errors import PaacError

_MAX_LINES, _MAX_LENGTH = 50, 500  # of a text: lines, and characters of each line
_CALLERS = ("paac_cli", "gymnasium")


def format_error(error: BaseException) -> str:
    """The message of a PaacError, which needs no traceback; otherwise the traceback, from the environment's code on."""
    if isinstance(error, PaacError):
        return str(error)
    trace = traceback.TracebackException.from_exception(error)
    _remove_callers(trace)
    return _shorten("".join(trace.format()))


def shorten_stacks(text: str) -> str:
    """Stacks as `faulthandler` writes them, without the frames of Python's import system and with limited length."""
    return _shorten("\n".join(line for line in text.strip().splitlines() if '"<frozen importlib' not in line))


def _remove_callers(trace: traceback.TracebackException | None) -> None:
    """Remove the frames above the first one that is not of `_CALLERS`, also from the errors that led to this one."""
    if trace is None:
        return
    ours = str(Path(paac_cli.__file__).parent)
    callers = tuple(str(Path(module.__file__ or ours).parent) for name in _CALLERS if (module := sys.modules.get(name)))
    frames = list(trace.stack)
    first = next((index for index, frame in enumerate(frames) if not frame.filename.startswith(callers)), len(frames))
    own = frames[first:] or [frame for frame in frames if not frame.filename.startswith(ours)][-1:]
    trace.stack = traceback.StackSummary.from_list(own)
    _remove_callers(trace.__cause__)
    _remove_callers(trace.__context__)


def _shorten(text: str) -> str:
    lines = [line if len(line) <= _MAX_LENGTH else f"{line[:_MAX_LENGTH]}..." for line in text.rstrip().splitlines()]
    left_out = len(lines) - _MAX_LINES
    if left_out > 0:
        half = _MAX_LINES // 2
        lines[half : len(lines) - half] = [f"... {left_out:,} lines are left out ..."]
    return "\n".join(lines)
