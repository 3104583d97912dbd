"""The `paac` command. Each command's module is imported only when that command is used."""

import os
import signal
import sys
from importlib import import_module

import click

from paac_cli import __version__
from paac_cli.cli.output import escape_control_characters
from paac_cli.errors import PaacError

# One thread for NumPy's linear algebra, here and in the workers. More threads would spin while idle and compete with
# workers that load emulators; initialising the weights then took seconds.
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


def _open_standard_streams() -> None:
    """Open /dev/null for each standard stream that the caller closed (as `2>&-` does).

    Otherwise the next file that is opened would get its descriptor and receive what is printed.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # opens as the lowest free descriptor
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


class _LazyGroup(click.Group):
    """Imports a command when it is looked up, and prints a `PaacError` as one message without a traceback."""

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
            click.echo(f"Error: {escape_control_characters(str(error))}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # the reader of standard output has exited, e.g. `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="paac")
@click.option("--traceback", is_flag=True, help="Show the Python traceback of an error.")
def main(traceback: bool) -> None:
    """Train deep reinforcement-learning agents fast, on one machine.

    Worker processes step many environments in parallel. One learner chooses the actions of all of them in one batch
    and updates the network in lock-step with them.

    Examples:

    \b
      paac train --preset pong     # learn Pong; the same command resumes a stopped run
      paac eval runs/pong-seed1    # play 30 games with the best policy
      paac record pong.mp4         # record a video of the newest run
    """
    _open_standard_streams()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # exits through all context managers
