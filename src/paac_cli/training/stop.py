"""Signals as requests to stop: Ctrl-C, SIGTERM, SIGHUP (a closed terminal), SIGUSR1 (a batch system's warning)."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Self

from paac_cli.errors import REQUEUE
from paac_cli.sampling.child import STOP_SIGNALS
from paac_cli.standard_output import results

_SAME_REQUEST = 0.3  # seconds in which a second SIGINT is part of the first: some programs send it twice
_AT_ONCE = "nothing after the last checkpoint is saved"
_URGENT_AFTER = 3.0  # seconds that the current rollout may still take after the signal


@contextlib.contextmanager
def stop_signals_handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """In this block, `handler` is called for each stop signal, but for a SIGHUP that is ignored, as under nohup."""
    previous = {}
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            previous[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, earlier)


def shell_exit_code(code: int) -> int:
    """The exit code of a command that passes on the end of a process, or ends by a signal itself.

    code: of the process; negative: the signal that ended it, which gives 128 + its number, but `REQUEUE` for SIGUSR1.
    """
    return REQUEUE if code == -signal.SIGUSR1 else code if code >= 0 else 128 - code


class _StoppedBeforeTraining(BaseException):
    """Leaves the block of a `StopRequest` while there is nothing to save."""


class StopRequest:
    """A context manager in which stop signals only request a stop. It is true once a stop has been requested.

    Before `begin` there is nothing to save, so the first signal leaves the block at once. Ctrl-C after any stop signal,
    but not immediately after it, ends the process at once.

    The first signal decides the exit code, because a batch system sends SIGTERM some time after its warning. Workers
    end with the learner, so ending the process at once leaves nothing behind.
    """

    def __init__(self, *, has_begun: bool = False, at_once: Callable[[], str] = lambda: _AT_ONCE) -> None:
        """has_begun: as after `begin`. at_once: called before the process ends at once; returns what that means."""
        self._at_once = at_once
        self._signal: int | None = None
        self._since = 0.0
        self._has_begun = has_begun
        self._handled = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._handled.enter_context(stop_signals_handled(self._handle))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._handled.close()
        return kind is _StoppedBeforeTraining

    def begin(self) -> None:
        """From now on signals do not leave the block; the caller checks this object and stops."""
        self._has_begun = True

    def __bool__(self) -> bool:
        return self._signal is not None

    @property
    def signal(self) -> int:
        """The number of the first stop signal; 0 if there was none."""
        return self._signal or 0

    def adopt(self, number: int) -> None:
        """From now on this process has got signal `number`, on which all ranks agree."""
        if self._signal is None:
            self._since = time.monotonic()  # before the signal, because this process's own may arrive at any moment
        self._signal = number

    @property
    def is_urgent(self) -> bool:
        """Whether to abandon the current rollout: batch systems kill soon after their first signal."""
        return self._signal is not None and time.monotonic() - self._since > _URGENT_AFTER

    @property
    def exit_code(self) -> int:
        """That of a command which the signal stopped; 0 without a signal."""
        return shell_exit_code(-(self._signal or 0))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None and number == signal.SIGINT and time.monotonic() - self._since > _SAME_REQUEST:
            try:
                if results().isatty():
                    os.write(results().fileno(), b"\n")  # the message begins below the live view
                os.write(2, f"Stopped at once: {self._at_once()}\n".encode())
            finally:
                os._exit(128 + number)  # also if the terminal is closed
        if self._signal is None:
            self._signal, self._since = number, time.monotonic()
            if not self._has_begun:
                raise _StoppedBeforeTraining
