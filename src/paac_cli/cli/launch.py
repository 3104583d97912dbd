"""paac launch"""

from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

import click

from paac_cli.cli.options import global_flags
from paac_cli.cli.output import inform
from paac_cli.text import counted

if TYPE_CHECKING:
    from paac_cli.training.launch import LocalRanks


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
@click.argument("command", type=click.Choice(["train"]), metavar="train")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def launch(ranks: int, max_restarts: int, command: str, arguments: tuple[str, ...]) -> None:
    """Train one run in several processes ("ranks") on this machine.

    `ARGUMENTS` are those of `paac train`. Each rank plays a share of the environments, and all learn the same.
    The result is that of one process, apart from the rounding of sums. On several machines, use `paac train` with
    `--cluster` and `--rank`.

    While it runs, TensorFlow listens for the other ranks on all network interfaces of this machine, without
    authentication. With `--fresh`, ranks that fail are not started again.

    Example:

    \b
      paac launch --ranks 2 -- train --preset pong
    """
    for argument in arguments:
        match argument.partition("=")[0]:
            case "--cluster" | "--rank":
                raise click.UsageError(f"paac launch itself sets what {argument} would set")
            case "--seeds":
                raise click.UsageError("paac launch trains one run; `paac train --seeds` trains several")
    max_restarts = 0 if "--fresh" in arguments else max_restarts
    click.get_current_context().exit(run_in_ranks(ranks, [*global_flags(), command, *arguments], max_restarts))


def run_in_ranks(size: int, arguments: Sequence[str], max_restarts: int = 0) -> int:
    """Run `paac ARGUMENTS` in `size` ranks, and start them again if they fail. Returns the exit code."""
    from paac_cli.training.launch import LocalRanks, can_be_repeated, describe_failures, exit_code
    from paac_cli.training.stop import shell_exit_code, stop_signals_handled

    restarts_left, signals = max_restarts, _Forwarding()
    with stop_signals_handled(signals.handle):
        while True:
            with LocalRanks(size, arguments, inform) as running:
                signals.forward_to(running)
                ends = running.wait()
                signals.forward_to(None)
            if signals.number is not None or not can_be_repeated(ends) or restarts_left == 0:
                break
            restarts_left -= 1
            left = counted(restarts_left, "restart")
            inform(f"Warning: {describe_failures(ends)}. All ranks start again from the last checkpoint; {left} left")
    return shell_exit_code(exit_code(ends))


class _Forwarding:
    """Sends stop signals on to the ranks that run."""

    def __init__(self) -> None:
        self.number: int | None = None  #: of the latest stop signal; None before the first
        self._running: LocalRanks | None = None

    def forward_to(self, running: "LocalRanks | None") -> None:
        """From now on these ranks get the signals, and also one that came while there were no ranks yet."""
        self._running = running
        if running is not None and self.number is not None:
            running.send(self.number)

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        if self._running is not None:
            self._running.send(number)
