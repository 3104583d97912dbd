"""The `paac` command. Each command's module is imported only when that command is used."""

import os
import signal
import sys
import traceback
from importlib import import_module
from typing import Any

import click

import paac_cli
from paac_cli.cli.failures import printable_usage_errors, reported
from paac_cli.cli.output import flush_all, inform, prepare_standard_streams
from paac_cli.cli.usage_hints import instead_of_command
from paac_cli.text import reason, shorten

# One thread for NumPy's linear algebra, here and in the workers. More threads would spin while idle and compete with
# workers that load emulators; initialising the weights then took seconds.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_COMMANDS = {
    "train": "paac_cli.cli.train:train",
    "launch": "paac_cli.cli.launch:launch",
    "eval": "paac_cli.cli.evaluate:evaluate",
    "record": "paac_cli.cli.record:record",
    "watch": "paac_cli.cli.watch:watch",
    "verify": "paac_cli.cli.verify:verify",
    "runs": "paac_cli.cli.runs:runs",
    "compare": "paac_cli.cli.compare:compare",
    "plot": "paac_cli.cli.plot:plot",
    "report": "paac_cli.cli.report:report",
    "bench": "paac_cli.cli.bench:bench",
    "tune": "paac_cli.cli.tune:tune",
    "presets": "paac_cli.cli.presets:presets",
}


class _LazyGroup(click.Group):
    """Imports a command when it is looked up, and ends with a message where others end with a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        prepare_standard_streams()
        try:
            return self._main(*args, **kwargs)
        except BaseException as ending:
            if _is_connected_with_ranks():
                _exit_at_once(ending)
            raise
        finally:
            flush_all()

    def _main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # while Click prints help or a usage error
            inform(f"Error: standard output cannot be written: {reason(error)}")
            sys.exit(2)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with printable_usage_errors():
            return super().make_context(*args, **kwargs)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and (hint := instead_of_command(args[0], list(_COMMANDS))):
            ctx.fail(f"No such command {shorten(repr(args[0]))}{hint}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        with printable_usage_errors(), reported(ctx):
            return super().invoke(ctx)


def _is_connected_with_ranks() -> bool:
    """Whether this process trains with others. Then the end of the interpreter would wait for them."""
    connection = sys.modules.get("paac_cli.training.connection")
    return connection is not None and connection.is_open


def _exit_at_once(ending: BaseException) -> None:
    """End the process as `ending` would do it, but without the end of the interpreter."""
    code: Any = 1
    if isinstance(ending, SystemExit):
        code = ending.code or 0
    else:
        traceback.print_exception(ending)
    flush_all()
    os._exit(code if isinstance(code, int) else 1)


def _print_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """As `click.version_option`, which would look up the version for every command; that takes 20 to 70 ms."""
    if wanted:
        click.echo(f"paac, version {paac_cli.__version__}")
        context.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Print the version."
)
@click.option("--traceback", is_flag=True, help="Show the Python traceback of an error.")
def main(traceback: bool) -> None:
    """Train deep reinforcement-learning agents fast.

    Worker processes step many environments in parallel. One learner chooses the actions of all of them in one batch
    and updates the network in lock-step with them.

    Examples:

    \b
      paac train --preset pong     # learn Pong; the same command resumes a stopped run
      paac eval runs/pong-seed1    # play 30 games with the best policy
      paac record pong.mp4         # record a video of the newest run
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # exits through all context managers
