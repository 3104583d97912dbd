"""Signals as a wish, not a blow: Ctrl-C, SIGTERM, SIGHUP (a lost terminal), SIGUSR1 (a batch system's warning)."""

import os
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Self

from paac_cli.errors import REQUEUE
from paac_cli.sampling.worker import STOP_SIGNALS

_PATIENCE = 3.0  # seconds that what is going on may still take


class _CutShort(BaseException):
    """What was going on when a signal came is not worth being finished."""


class StopRequest:
    """While it is entered, these signals only note that the run should stop; Ctrl-C after any of them kills.

    Until `begin` there is nothing to save, and the first of them leaves the block at once.

    The first decides on the exit code: batch systems send SIGTERM some time after their warning. Workers end by
    themselves when the learner is gone, so leaving at once leaves nothing behind.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._since = 0.0
        self._has_begun = False
        self._previous: dict[int, signal.Handlers] = {}

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # under nohup
            self._previous[number] = signal.signal(number, self._note)  # type: ignore[assignment]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        return kind is _CutShort

    def begin(self) -> None:
        """From here on, whoever looks at this decides when to stop."""
        self._has_begun = True

    def __bool__(self) -> bool:
        return self._signal is not None

    @property
    def is_urgent(self) -> bool:
        """Whether it is time to give up what is going on: batch systems kill soon after they have asked."""
        return self._signal is not None and time.monotonic() - self._since > _PATIENCE

    @property
    def exit_code(self) -> int:
        """128 + the signal, as shells have it, or `REQUEUE`; 0 where none came."""
        if self._signal is None:
            return 0
        return REQUEUE if self._signal == signal.SIGUSR1 else 128 + self._signal

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None and number == signal.SIGINT:
            if sys.stdout.isatty():
                os.write(1, b"\x1b[?25h\n")  # the live view had hidden the cursor
            os.write(2, b"Left at once: what came after the last checkpoint is not saved\n")
            os._exit(128 + number)
        if self._signal is None:
            self._signal, self._since = number, time.monotonic()
            if not self._has_begun:
                raise _CutShort
