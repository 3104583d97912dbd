"""What every process from the fork server does first: it protects itself, and the learner from what it runs.

Environments live in such processes only. Whatever they do to their process (change the directory, install signal
handlers, start threads and programs, print, exit or crash) does not reach the learner.
"""

import contextlib
import ctypes
import faulthandler
import fcntl
import io
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from paac_cli.sampling.descendants import MARK

#: These signals have no effect on the processes of environments. They may be sent to all processes of a run, and the
#: learner decides. A program that an environment starts reacts to them as usual.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
_PR_SET_NAME = 15  # prctl(2): the name that `top` and `ps` show, at most 15 bytes
SHOW_STACKS = signal.SIGUSR2  #: makes a process write the stacks of its threads


def signal_name(number: int) -> str:
    """The name of a signal, e.g. "SIGKILL"; real-time signals have none, and are e.g. "signal 35"."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def run_child(
    main: Callable[..., None], connection: Connection, stacks_pipe: Connection, mark: str, *arguments: Any
) -> None:
    """Main function of a process from the fork server: runs `main(connection, *arguments)` and ends the process.

    stacks_pipe: gets the stacks of its threads if it crashes or hangs. mark: see `descendants.py`.
    """
    os.setpgid(0, 0)
    os.environ[MARK] = mark
    process = multiprocessing.current_process()
    process.daemon = False  # environments may start processes of their own
    short_name = process.name.partition(" (")[0]  # without what it contains
    ctypes.CDLL(None).prctl(_PR_SET_NAME, f"paac {short_name}".encode())
    _ignore_stop_signals()
    faulthandler.enable(stacks_pipe.fileno())
    faulthandler.register(SHOW_STACKS, stacks_pipe.fileno())
    _die_with_learner()
    _print_to_standard_error()
    code = 0
    try:
        main(connection, *arguments)
    except BaseException:
        traceback.print_exc()
        code = 1
    ctypes.CDLL(None).fflush(None)  # what C libraries have printed
    os._exit(code)  # skips the clean-up of the fork server, and does not wait for threads of environments


def _ignore_stop_signals() -> None:
    # Handlers, because a program that the process executes would inherit that a signal is ignored or blocked: it could
    # not be ended by SIGTERM. A process that it forks has default handlers.
    for number in STOP_SIGNALS:
        signal.signal(number, _do_nothing)
        signal.siginterrupt(number, False)
    os.register_at_fork(after_in_child=_restore_stop_signals)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # to print is allowed, although it is a background process group
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # the learner blocks them while it starts processes


def _do_nothing(number: int, frame: FrameType | None) -> None:
    pass


def _restore_stop_signals() -> None:
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is _do_nothing:
            signal.signal(number, signal.SIG_DFL)


def _die_with_learner() -> None:
    """Make the kernel kill this process group when the learner's end of a pipe closes, even if an environment hangs."""
    learner = multiprocessing.parent_process()
    assert learner is not None
    fcntl.fcntl(learner.sentinel, fcntl.F_SETOWN, -os.getpid())  # negative: the process group
    fcntl.fcntl(learner.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(learner.sentinel, fcntl.F_SETFL, os.O_ASYNC)
    if not learner.is_alive():  # it died before the calls above
        os._exit(0)


def _print_to_standard_error() -> None:
    """Send standard output to standard error, where the learner prints everything but results.

    Printing never fails: if nobody reads standard error any more, the text is discarded.
    """
    os.dup2(2, 1)
    output = io.BufferedWriter(_StderrOrNull())
    sys.stdout = sys.stderr = io.TextIOWrapper(output, "utf-8", "backslashreplace", line_buffering=True)
    sys.__stdout__ = sys.__stderr__ = sys.stderr  # type: ignore[misc]


class _StderrOrNull(io.FileIO):
    """Standard error, or nothing once that cannot be written."""

    def __init__(self) -> None:
        super().__init__(2, "w", closefd=False)

    def write(self, data: Any) -> int:
        try:
            written = super().write(data)
        except OSError:
            with contextlib.suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)  # programs that are started later print nowhere, too
                os.dup2(nowhere, 2)
                os.close(nowhere)
            written = None
        return memoryview(data).nbytes if written is None else written  # None: a full pipe that must not be waited for
