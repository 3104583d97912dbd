"""How commands print: results on standard output, everything else on standard error.

Text may quote files and names that come from somebody else, so everything that is printed for people goes through here
and is made `printable`. JSON is exact: it escapes control characters by itself.
"""

import contextlib
import faulthandler
import json
import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, TextIO

import click

from paac_cli.errors import OutputError
from paac_cli.events import Event
from paac_cli.standard_output import kept_for_results, results
from paac_cli.text import abridged, printable, reason


def prepare_standard_streams() -> None:
    """Open what is closed, let every stream print every character, and show where a crash of this process happened.

    faulthandler writes to a duplicate of descriptor 2, because that one is captured while TensorFlow is imported.

    /dev/null takes the place of a stream that the caller closed (as `2>&-` does). Otherwise the next file that is
    opened would get its descriptor and receive what is printed.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # opens as the lowest free descriptor
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # what e.g. ASCII lacks
    if not faulthandler.is_enabled():
        faulthandler.enable(os.dup(2))  # if a library written in C crashes, print the Python functions that called it


_ARGUMENTS = "paac.arguments"  # key in `Context.meta` of the command line, which Click does not keep


class ResultsOnly(click.Command):
    """A command that runs code of users and libraries, of which nothing may appear among its results."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with kept_for_results():
            return super().invoke(ctx)


def superfluous_words(ctx: click.Context) -> list[str]:
    """The words on the command line of a `ResultsOnly` that belong to none of its options and arguments."""
    _, words, _ = ctx.command.make_parser(ctx).parse_args(list(ctx.meta.get(_ARGUMENTS, ())))
    return words


def print_result(text: str, *, nl: bool = True) -> None:
    """Print a result on standard output. Raises OutputError, or BrokenPipeError if its reader has ended."""
    _print_exactly(printable(text), nl=nl)


def terminal_width() -> int | None:
    """The columns of the terminal on standard output; None if lines may have any length, as in a file or a pipe."""
    return shutil.get_terminal_size().columns if results().isatty() else None


def print_json(data: Any) -> None:
    """Print a result as one JSON object on standard output. Raises as `print_result` does."""
    _print_exactly(json.dumps(data, indent=2), nl=True)


def print_report(report: dict[str, Any], format_report: Callable[[dict[str, Any]], str], *, as_json: bool) -> None:
    """Print a report as JSON or as text. Raises as `print_result` does."""
    if as_json:
        print_json(report)
    else:
        print_result(format_report(report))


def _print_exactly(text: str, *, nl: bool) -> None:
    try:
        click.echo(text, results(), nl=nl)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {reason(error)}") from error


def echo(text: str) -> None:
    """Print a line on standard output. Ignores errors: a run whose terminal is closed must still exit cleanly."""
    try:
        click.echo(printable(text), results())
    except OSError:
        discard(results())


def inform(text: str) -> None:
    """Print progress on standard error, so that standard output has only results. Ignores errors.

    All lines but the first are indented, so that nothing quoted looks like a message of its own.
    """
    try:
        click.echo(printable(abridged(text)).replace("\n", "\n  "), err=True)
    except OSError:
        discard(sys.stderr)


def warn(text: str) -> None:
    """Print a warning on standard error."""
    inform(f"Warning: {text}")


def print_event(event: Event) -> None:
    """Print an event on standard error: the `Log` of commands that keep no event log."""
    inform(str(event))


def flush_all() -> None:
    """Write what the standard streams still hold; if that fails, discard it. At exit, a failure would be reported."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            discard(stream)


def discard(stream: TextIO) -> None:
    """Send what `stream` still holds, and all that is written to it, to /dev/null: the flush at exit would fail."""
    with contextlib.suppress(OSError, ValueError):  # it may have no descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
