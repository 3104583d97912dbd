"""Trains runs that differ only in their seed, one after the other or some at a time."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from paac_cli.errors import REQUEUE
from paac_cli.training.processes import forward_lines, split_cores, start_paac

_ERRORS = (1, 2)  # exit codes of `paac train`
_POLL = 0.1  # seconds


class _Running(NamedTuple):
    process: subprocess.Popen[str]
    cores: set[int]
    forwarding: threading.Thread | None  #: of what it prints


class SeedRuns:
    """`paac train` once for each seed, each in a process of its own, which cannot end the others.

    A context manager: leaving the block kills those that still run.
    """

    def __init__(
        self, seeds: Sequence[int], jobs: int, arguments: Callable[[int], Sequence[str]], show: Callable[[str], None]
    ) -> None:
        """jobs: how many train at the same time, each on its share of the cores. One at a time prints where this
        process does; of several, `show` takes each line after its seed. arguments: those of `paac`, for a seed.
        """
        self._waiting, self._jobs, self._arguments, self._show = [*seeds], jobs, arguments, show
        self._free_cores = split_cores(jobs)
        self._running: dict[int, _Running] = {}  # by seed
        self._stop_signal: int | None = None  # the first one that `stop` was called with
        self._exit_codes: dict[int, int] = {}  # by seed, of those that have ended; negative: a signal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in self._running.values():
            run.process.kill()
            run.process.wait()

    @property
    def exit_code(self) -> int:
        """0 if all have finished; otherwise that of the first that has not, or of the signal that stopped all."""
        failed = [code for code in self._exit_codes.values() if code]
        code = failed[0] if failed else -(self._stop_signal or 0)
        return REQUEUE if code == -signal.SIGUSR1 else code if code >= 0 else 128 - code

    @property
    def has_failed(self) -> bool:
        """Whether one has ended with an error; others that have not finished were stopped or killed."""
        return any(code in _ERRORS for code in self._exit_codes.values())

    def stop(self, number: int) -> None:
        """Send a stop signal to those that run, and start no others."""
        self._stop_signal = self._stop_signal or number
        for run in self._running.values():
            run.process.send_signal(number)

    def wait(self) -> None:
        """Start them, and wait until all have ended."""
        while self._running or (self._waiting and self._stop_signal is None):
            while self._waiting and self._free_cores and self._stop_signal is None:
                self._start(self._waiting.pop(0))
            time.sleep(_POLL)
            for seed in [seed for seed, run in self._running.items() if run.process.poll() is not None]:
                self._end(seed)

    def _start(self, seed: int) -> None:
        cores = self._free_cores.pop(0)
        process = start_paac(self._arguments(seed), cores, {}, prints_here=self._jobs == 1)
        forwarding = forward_lines(process, f"seed {seed}", self._show) if self._jobs > 1 else None
        self._running[seed] = _Running(process, cores, forwarding)
        if self._stop_signal is not None:  # it came while the process was started
            process.send_signal(self._stop_signal)

    def _end(self, seed: int) -> None:
        run = self._running.pop(seed)
        if run.forwarding is not None:
            run.forwarding.join(1.0)
        self._exit_codes[seed] = run.process.returncode
        self._free_cores.append(run.cores)
