"""How commands print: results on standard output, everything else on standard error."""

import os
import sys

import click

from paac_cli.events import Event


def echo(text: str) -> None:
    """Print a result on standard output. Ignores errors: a run whose terminal is closed must still exit cleanly."""
    try:
        click.echo(text)
    except OSError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # otherwise flushing the buffer at exit fails again


def inform(text: str) -> None:
    """Print progress on standard error, so that standard output has only results."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    """Print a warning on standard error."""
    inform(f"Warning: {text}")


def print_event(event: Event) -> None:
    """Print an event on standard error: the `Log` of commands that keep no event log."""
    inform(str(event))


def escape_control_characters(text: str) -> str:
    """`text` without characters that control a terminal: an error message may quote an untrusted file."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
