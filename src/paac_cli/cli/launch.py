"""paac launch"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

import click

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
@click.argument("command", type=click.Choice(["train"]))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def launch(ranks: int, max_restarts: int, command: str, arguments: tuple[str, ...]) -> None:
    """Train one run in several processes ("ranks") on this machine.

    COMMAND is train, and ARGUMENTS are its own. Each rank plays a share of the environments, and all learn the same.
    The result is that of one process, apart from the rounding of sums. On several machines, use paac train with
    --cluster and --rank.

    While it runs, TensorFlow listens for the other ranks on all network interfaces of this machine, without
    authentication. With --fresh, ranks that fail are not started again.

    Example:

    \b
      paac launch --ranks 2 -- train --preset pong
    """
    from paac_cli.training.launch import LocalRanks, can_be_repeated, describe_failures

    for argument in arguments:
        if argument.partition("=")[0] in ("--cluster", "--rank"):
            raise click.UsageError(f"paac launch itself sets what {argument} would set")
    restarts_left = 0 if "--fresh" in arguments else max_restarts
    with _forwarded_signals() as signals:
        while True:
            with LocalRanks(ranks, [command, *arguments], inform) as running:
                signals.forward_to(running)
                ends = running.wait()
                signals.forward_to(None)
            if signals.received or not can_be_repeated(ends) or restarts_left == 0:
                break
            restarts_left -= 1
            left = counted(restarts_left, "restart")
            inform(f"Warning: {describe_failures(ends)}. All ranks start again from the last checkpoint; {left} left")
    code = next((end.code for end in ends if end.code), 0)
    click.get_current_context().exit(code if code >= 0 else 128 - code)


class _Forwarding:
    """Sends stop signals on to the ranks that run."""

    def __init__(self) -> None:
        self.received = False  #: whether there was a stop signal
        self._number: int | None = None  # the latest, if no ranks have got it yet
        self._running: LocalRanks | None = None

    def forward_to(self, running: "LocalRanks | None") -> None:
        self._running = running
        if running is not None and self._number is not None:
            running.send(self._number)

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if self._running is None:
            self._number = number
        else:
            self._running.send(number)


@contextlib.contextmanager
def _forwarded_signals() -> Iterator[_Forwarding]:
    """In this block, stop signals do not end this process."""
    from paac_cli.sampling.child import STOP_SIGNALS

    forwarding, previous = _Forwarding(), {}
    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # under nohup
        previous[number] = signal.signal(number, forwarding.handle)
    try:
        yield forwarding
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
