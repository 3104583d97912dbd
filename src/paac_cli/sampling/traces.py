"""Errors of environments as text: the traceback of their own code, without the frames of what called it."""

import multiprocessing
import re
import sys
import traceback
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import paac_cli
from paac_cli.errors import PaacError

_MAX_LINES, _MAX_LENGTH = 50, 500  # of a text: lines, and characters of each line
_CALLERS = ("paac_cli", "gymnasium")
_FRAME = re.compile(r' *File "(.*)", line ')


def format_error(error: BaseException) -> str:
    """The message of a PaacError, which needs no traceback; otherwise the traceback, from the environment's code on."""
    if isinstance(error, PaacError):
        return str(error)
    trace = traceback.TracebackException.from_exception(error)
    _remove_callers(trace)
    return _shorten("".join(trace.format()))


def shorten_stacks(text: str) -> str:
    """Stacks as `faulthandler` writes them, innermost frame first, without the frames that called the environment.

    Frames of Python's import system are left out, too, and the length is limited.
    """
    lines = [line for line in text.strip().splitlines() if '"<frozen importlib' not in line]
    kept: list[str] = []
    for is_stack, block in groupby(lines, lambda line: _FRAME.match(line) is not None):
        frames = [*block]
        kept += _without_callers(frames) if is_stack else frames
    return _shorten("\n".join(kept))


def _without_callers(frames: Sequence[str]) -> Sequence[str]:
    """The `frames` of one stack, innermost first, up to the environment's own outermost one; all if it has none."""
    callers = (*_directories(_CALLERS), str(Path(multiprocessing.__file__).parent), "<string>")
    own = [index for index, line in enumerate(frames) if not _FRAME.match(line)[1].startswith(callers)]  # type: ignore[index]
    return frames[: own[-1] + 1] if own else frames


def _remove_callers(trace: traceback.TracebackException | None) -> None:
    """Remove the frames above the first one that is not of `_CALLERS`, also from the errors that led to this one."""
    if trace is None:
        return
    ours, callers = str(Path(paac_cli.__file__).parent), _directories(_CALLERS)
    frames = list(trace.stack)
    first = next((index for index, frame in enumerate(frames) if not frame.filename.startswith(callers)), len(frames))
    own = frames[first:] or [frame for frame in frames if not frame.filename.startswith(ours)][-1:]
    trace.stack = traceback.StackSummary.from_list(own)
    _remove_callers(trace.__cause__)
    _remove_callers(trace.__context__)


def _directories(names: Sequence[str]) -> tuple[str, ...]:
    """The directories of the packages `names`, as far as they are imported."""
    files = [module.__file__ for name in names if (module := sys.modules.get(name))]
    return tuple(str(Path(file).parent) for file in files if file)


def _shorten(text: str) -> str:
    lines = [line if len(line) <= _MAX_LENGTH else f"{line[:_MAX_LENGTH]}..." for line in text.rstrip().splitlines()]
    left_out = len(lines) - _MAX_LINES
    if left_out > 0:
        half = _MAX_LINES // 2
        lines[half : len(lines) - half] = [f"... {left_out:,} lines are left out ..."]
    return "\n".join(lines)
