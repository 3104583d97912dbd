"""The `paac` command. Every command lives in a module that is imported only when it is used."""

import os
import signal
import sys
from importlib import import_module

import click

from paac_cli import __version__
from paac_cli.errors import PaacError

# NumPy's linear algebra, for this process and the workers: several threads spin while they wait for each other, and
# the first weights took seconds on cores that were busy with loading emulators.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_COMMANDS = {
    "train": "paac_cli.cli.train:train",
    "eval": "paac_cli.cli.evaluate:evaluate",
    "record": "paac_cli.cli.record:record",
    "verify": "paac_cli.cli.verify:verify",
    "plot": "paac_cli.cli.plot:plot",
    "bench": "paac_cli.cli.bench:bench",
    "presets": "paac_cli.cli.presets:presets",
}


def _harmless(text: str) -> str:
    """What a file of somebody's made us say, without what would speak to the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def _open_standard_streams() -> None:
    """Where the caller has closed one, as `2>&-` does, what is opened next would take its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it takes the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


class _LazyGroup(click.Group):
    """Knows its commands by name; turns foreseen failures into one clear message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except PaacError as error:
            if ctx.params["traceback"]:
                raise
            click.echo(f"Error: {_harmless(str(error))}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # the reader of our output has left, e.g. `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="paac")
@click.option("--traceback", is_flag=True, help="Show where an error comes from.")
def main(traceback: bool) -> None:
    """Train deep reinforcement-learning agents fast, on one machine.

    Many environments are stepped in parallel, and one batched learner acts and updates in lock-step.

    \b
      paac train --preset pong       learn Pong; the same command again goes on where it stopped
      paac eval runs/pong-seed1      play 30 games with the best checkpoint
      paac record pong.mp4           film it
    """
    _open_standard_streams()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # by way of all clean-up
