"""Starts several ranks of one run on this machine, and all of them again if one fails."""

import contextlib
import ctypes
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Self

from paac_cli.sampling.partition import split_evenly

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a process gets when the one that started it ends
_POLL = 0.1  # seconds
_GRACE = 15.0  # seconds that the others have to notice that a rank has failed; then they are killed


class LocalRanks:
    """`paac ARGUMENTS` in several processes. A context manager: leaving the block kills those that still run."""

    def __init__(self, size: int, arguments: Sequence[str], show: Callable[[str], None]) -> None:
        """Start them. show: takes what ranks other than 0 print, line by line; rank 0 prints directly."""
        addresses = [f"127.0.0.1:{port}" for port in _free_ports(size)]
        cores = _cores_for(size)
        self._threads, self._processes = list[threading.Thread](), list[subprocess.Popen[str]]()
        for rank in range(size):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
            output = None if rank == 0 else subprocess.PIPE
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "paac_cli", *arguments],
                env=os.environ | {"TF_CONFIG": json.dumps(config)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if rank == 0 else subprocess.STDOUT,
                text=True,
                errors="backslashreplace",
                process_group=0,  # Ctrl-C is sent on once, and not by the terminal too, where a second one means more
                preexec_fn=lambda rank=rank: _prepare(cores[rank]),
            )
            self._processes.append(process)
            if process.stdout is not None:
                self._threads.append(threading.Thread(target=_forward, args=(rank, process.stdout, show), daemon=True))
                self._threads[-1].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        for thread in self._threads:
            thread.join(1.0)

    def send(self, number: int) -> None:
        """Send a signal to all ranks."""
        for process in self._processes:
            process.send_signal(number)

    def wait(self) -> list[int]:
        """Wait until all ranks have ended. Returns their exit codes; negative: the signal that killed a rank.

        If one fails, the others have some time to notice that, and are then killed.
        """
        deadline = math.inf
        while None in (codes := [process.poll() for process in self._processes]):
            if any(codes):
                deadline = min(deadline, time.monotonic() + _GRACE)
            if time.monotonic() > deadline:
                self.send(signal.SIGKILL)
            time.sleep(_POLL)
        return [process.returncode for process in self._processes]


def can_be_repeated(codes: Sequence[int]) -> bool:
    """Whether ranks with these exit codes may succeed if they are started again from the last checkpoint.

    That is so if a rank was killed. Errors in settings, environments or learning would only repeat.
    """
    return any(code < 0 for code in codes) and all(code <= 1 for code in codes)


def describe_failures(codes: Sequence[int]) -> str:
    """What became of the ranks that did not end by themselves, e.g. "rank 1 was killed by SIGKILL"."""
    killed = (f"rank {rank} was killed by {signal.Signals(-code).name}" for rank, code in enumerate(codes) if code < 0)
    return " and ".join(killed)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _cores_for(size: int) -> list[set[int]]:
    """The cores of each rank: its share of those of this process, or one of them if there are fewer than ranks."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < size:
        return [{cores[rank % len(cores)]} for rank in range(size)]
    return [{cores[index] for index in part} for part in split_evenly(range(len(cores)), size)]


def _prepare(cores: set[int]) -> None:
    """What a rank does before `paac` starts in it."""
    os.sched_setaffinity(0, cores)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _forward(rank: int, lines: IO[str], show: Callable[[str], None]) -> None:
    for line in lines:
        show(f"rank {rank}: {line.rstrip()}")
