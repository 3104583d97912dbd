"""Runs `paac` several times, in some processes at a time."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from paac_cli.errors import BUG
from paac_cli.files import appending
from paac_cli.training.processes import forward_lines, split_cores, start_paac
from paac_cli.training.stop import shell_exit_code

ERRORS = (1, 2, BUG)  #: exit codes of `paac train`
_POLL = 0.1  # seconds


class _Running(NamedTuple):
    process: subprocess.Popen[str]
    cores: set[int]
    forwarding: threading.Thread | None  #: of what it prints


class Jobs:
    """Processes of `paac`, each on its share of the cores. They cannot end each other.

    A context manager: leaving the block kills those that still run.
    """

    def __init__(self, most: int, show: Callable[[str], None]) -> None:
        """most: how many may run at the same time. One at a time prints where this process does; of several, `show`
        takes each line after the name of the job.
        """
        self._most, self._show = most, show
        self._free_cores = split_cores(most)
        self._running: dict[str, _Running] = {}
        self._stop_signal: int | None = None  # the first one that `stop` was called with
        self._exit_codes: dict[str, int] = {}  # of those that have ended; negative: a signal
        self._has_left_out = False  # whether `run_all` has not started some, because of a stop signal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in self._running.values():
            run.process.kill()
            run.process.wait()

    @property
    def may_start(self) -> bool:
        """Whether there is room for another job, and no stop was requested."""
        return bool(self._free_cores) and not self.is_stopping

    @property
    def is_stopping(self) -> bool:
        return self._stop_signal is not None

    @property
    def exit_code(self) -> int:
        """Of `run_all`: 0 if all have finished; otherwise that of the first that has not, or of the stop signal."""
        failed = [code for code in self._exit_codes.values() if code]
        if failed:
            return shell_exit_code(failed[0])
        return self.stop_exit_code if self._has_left_out else 0

    @property
    def stop_exit_code(self) -> int:
        """For a command that was stopped by the signal that stopped all; 0 without a signal."""
        return shell_exit_code(-(self._stop_signal or 0))

    @property
    def has_failed(self) -> bool:
        """Whether one has ended with an error; others that have not finished were stopped or killed."""
        return any(code in ERRORS for code in self._exit_codes.values())

    def run_all(self, jobs: Sequence[tuple[str, Callable[[], Sequence[str]]]]) -> None:
        """Start jobs in their order, and wait until all have ended. After a stop signal, no others start.

        jobs: the name of each, and a function that is called when it starts and returns the arguments of `paac`.
        """
        waiting = [*jobs]
        while self._running or (waiting and not self.is_stopping):
            while waiting and self.may_start:
                name, arguments = waiting.pop(0)
                self.start(name, arguments())
            self.wait(_POLL)
        self._has_left_out = bool(waiting)

    def start(self, name: str, arguments: Sequence[str], output: Path | None = None) -> None:
        """Start `paac ARGUMENTS`. output: a file to which it appends what it prints, instead of printing here.

        Raises OSError if the file cannot be opened.
        """
        cores = self._free_cores[0]
        if output is not None:
            with appending(output) as file:
                process, forwarding = start_paac(arguments, cores, {}, file, subprocess.STDOUT), None
        elif self._most == 1:
            process, forwarding = start_paac(arguments, cores, {}), None
        else:
            process = start_paac(arguments, cores, {}, subprocess.PIPE, subprocess.STDOUT)
            forwarding = forward_lines(process, name, self._show)
        self._free_cores.pop(0)
        self._running[name] = _Running(process, cores, forwarding)
        if self._stop_signal is not None:  # it came while the process was started
            process.send_signal(self._stop_signal)

    def stop(self, number: int) -> None:
        """Send a stop signal to those that run, and start no others."""
        self._stop_signal = self._stop_signal or number
        for run in self._running.values():
            run.process.send_signal(number)

    def send(self, name: str, number: int) -> None:
        """Send a signal to one that runs."""
        self._running[name].process.send_signal(number)

    def wait(self, seconds: float) -> dict[str, int]:
        """Wait until some end, but at most so many `seconds`. Returns their exit codes; negative: a signal."""
        deadline = time.monotonic() + seconds
        while not (ended := self._take_ended()) and time.monotonic() < deadline:
            time.sleep(_POLL)
        return ended

    def _take_ended(self) -> dict[str, int]:
        ended = {name: code for name, run in self._running.items() if (code := run.process.poll()) is not None}
        for name in ended:
            run = self._running.pop(name)
            if run.forwarding is not None:
                run.forwarding.join(1.0)
            self._free_cores.append(run.cores)
        self._exit_codes |= ended
        return ended
