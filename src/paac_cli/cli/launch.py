"""paac launch"""

import contextlib
import signal
from types import FrameType

import click

from paac_cli.cli.output import inform
from paac_cli.text import counted


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--ranks", type=click.IntRange(1), required=True, metavar="K", help="Number of processes.")
@click.option(
    "--max-restarts",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    metavar="N",
    help="How often all ranks are started again, from the last checkpoint, if one of them fails.",
)
@click.argument("command", type=click.Choice(["train"]))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def launch(ranks: int, max_restarts: int, command: str, arguments: tuple[str, ...]) -> None:
    """Train one run in several processes ("ranks") on this machine.

    COMMAND is train, and ARGUMENTS are its own. Each rank plays a share of the environments, and all learn the same.
    The result is that of one process, apart from the rounding of sums. On several machines, use paac train with
    --cluster and --rank.

    Example:

    \b
      paac launch --ranks 2 -- train --preset pong
    """
    from paac_cli.sampling.child import STOP_SIGNALS
    from paac_cli.training.launch import LocalRanks, can_be_repeated, describe_failures

    restarts = 0
    while True:
        with LocalRanks(ranks, [command, *arguments], inform) as running:

            def forward(number: int, frame: FrameType | None, running: LocalRanks = running) -> None:
                with contextlib.suppress(ProcessLookupError):
                    running.send(number)

            for number in STOP_SIGNALS:
                signal.signal(number, forward)
            codes = running.wait()
        if not can_be_repeated(codes) or restarts == max_restarts:
            break
        restarts += 1
        arguments = tuple(argument for argument in arguments if argument != "--fresh")
        left = counted(max_restarts - restarts, "restart")
        inform(f"Warning: {describe_failures(codes)}. All ranks start again from the last checkpoint; {left} left")
    code = next((code for code in codes if code), 0)
    click.get_current_context().exit(code if code >= 0 else 128 - code)
