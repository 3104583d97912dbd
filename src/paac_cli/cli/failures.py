"""Failures that are not bugs of paac: each is one message without a traceback, and an exit code."""

import contextlib
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import NamedTuple

import click

from paac_cli.cli.output import discard, inform
from paac_cli.cli.usage_hints import no_such_option
from paac_cli.errors import BUG, PaacError
from paac_cli.memory import memory_limit_note
from paac_cli.text import abridged, printable

_reserve = bytearray(4 << 20)  # freed when something fails: without any memory, no message could be made
_YOURS = 2  #: exit code for something that the user can correct


class Failure(NamedTuple):
    """How a command ends if an exception ends it."""

    message: str
    exit_code: int


def explain(error: Exception) -> Failure | None:
    """What to print for `error`; None if it may be a bug, whose traceback is needed."""
    match error:
        case PaacError():
            return Failure(str(error), error.exit_code)
        case OSError():  # e.g. a full disk, a directory that cannot be read
            return Failure(str(error), _YOURS)
        case ImportError() if not (error.name or "").startswith("paac_cli"):  # it is missing, or lacks memory
            return Failure(f"{error.name or 'a library'} cannot be imported: {error}{memory_limit_note()}", _YOURS)
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # the latter: TensorFlow's
        return Failure(f"there is not enough memory: {_first_line(error)}{memory_limit_note()}", _YOURS)
    if isinstance(error, SystemError) and memory_limit_note():  # how some libraries fail without memory
        return Failure(f"a library has failed: {_first_line(error)}{memory_limit_note()}", _YOURS)
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return Failure(
            f"the system starts no more threads; the limit may be too low (ulimit -u){memory_limit_note()}", _YOURS
        )
    return None


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextlib.contextmanager
def reported(context: click.Context) -> Iterator[None]:
    """In this block, a failure ends the command with its message; `--traceback` shows where it comes from."""
    try:
        yield
    except BrokenPipeError:  # the reader of standard output has ended, e.g. `| head`
        discard(sys.stdout)
        context.exit(1)
    except KeyboardInterrupt:  # Ctrl-C, in a command that has nothing to save
        inform("Stopped")
        context.exit(128 + signal.SIGINT)
    except (click.exceptions.Exit, click.exceptions.Abort, click.ClickException):
        raise
    except Exception as error:
        _reserve.clear()
        failure = explain(error)
        if failure is None or context.params.get("traceback"):
            traceback.print_exception(error)
        else:
            inform(f"Error: {failure.message}")
        context.exit(BUG if failure is None else failure.exit_code)


@contextlib.contextmanager
def printable_usage_errors() -> Iterator[None]:
    """In this block, errors of Click, which quote arguments, are made printable and short."""
    try:
        yield
    except click.ClickException as error:
        message = error.format_message()
        shown = printable(abridged(no_such_option(error) if isinstance(error, click.NoSuchOption) else message))
        if shown == message:
            raise
        raise click.UsageError(shown, error.ctx if isinstance(error, click.UsageError) else None) from error
