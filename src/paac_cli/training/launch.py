"""Starts several ranks of one run on this machine, and all of them again if one fails."""

import contextlib
import json
import math
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from paac_cli.errors import BUG
from paac_cli.sampling.child import STOP_SIGNALS, signal_name
from paac_cli.training.cluster import JOB
from paac_cli.training.processes import forward_lines, split_cores, start_paac

_POLL = 0.1  # seconds
_GRACE = 15.0  # seconds that the others have to notice that a rank has failed; then they are killed


class Ended(NamedTuple):
    """How a rank has ended."""

    code: int  #: exit code; negative: the number of the signal that killed it
    was_stopped: bool = False  #: by SIGSTOP; then the launcher has killed it
    was_slow: bool = False  #: whether it did not end after another rank had failed; then the launcher has killed it


class LocalRanks:
    """`paac ARGUMENTS` in several processes. A context manager: leaving the block kills those that still run."""

    def __init__(self, size: int, arguments: Sequence[str], show: Callable[[str], None]) -> None:
        """Start them. show: takes what ranks other than 0 print, line by line; rank 0 prints directly."""
        addresses = [f"127.0.0.1:{port}" for port in _free_ports(size)]
        self._processes: list[subprocess.Popen[str]] = []
        try:
            for rank, cores in enumerate(split_cores(size)):
                config = {"cluster": {JOB: addresses}, "task": {"type": JOB, "index": rank}}
                settings = {"TF_CONFIG": json.dumps(config)}
                streams = (subprocess.PIPE, subprocess.STDOUT) if rank else ()
                self._processes.append(start_paac(arguments, cores, settings, *streams))
        except BaseException:
            self._kill()
            raise
        self._threads = [
            forward_lines(process, f"rank {rank}", show) for rank, process in enumerate(self._processes) if rank
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        for thread in self._threads:
            thread.join(1.0)

    def send(self, number: int) -> None:
        """Send a signal to all ranks."""
        for process in self._processes:
            process.send_signal(number)

    def wait(self) -> list[Ended]:
        """Wait until all ranks have ended, and kill those that take too long.

        After a rank has failed, the others have `_GRACE` seconds to end. A rank that is stopped, as by SIGSTOP, has as
        long to continue, but is killed at once if another one fails.
        """
        failed_at = math.inf
        stopped_at, killed = dict[int, float](), dict[int, Ended]()
        while None in (codes := [process.poll() for process in self._processes]):
            now = time.monotonic()
            if any(codes):
                failed_at = min(failed_at, now)
            for rank, process in enumerate(self._processes):
                if codes[rank] is not None or rank in killed:
                    continue
                if is_stopped := _is_stopped(process.pid):
                    stopped_at.setdefault(rank, now)
                else:
                    stopped_at.pop(rank, None)
                if now > min(failed_at, stopped_at.get(rank, math.inf)) + _GRACE or (is_stopped and any(codes)):
                    killed[rank] = Ended(-signal.SIGKILL, was_stopped=is_stopped, was_slow=not is_stopped)
                    process.kill()
            time.sleep(_POLL)
        return [killed.get(rank, Ended(process.returncode)) for rank, process in enumerate(self._processes)]

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()


def can_be_repeated(ends: Sequence[Ended]) -> bool:
    """Whether ranks that ended like this may succeed if they are started again from the last checkpoint.

    That is so if one was killed or stopped from outside, but not by a signal that asks it to end. Errors in settings,
    environments or learning would only repeat.
    """
    asked_to_end = any(-end.code in STOP_SIGNALS for end in ends)
    may_follow = all(end.code < 0 or end.code in (0, 1, BUG) for end in ends)  # from the failure of another rank
    return any(map(_failed_from_outside, ends)) and not asked_to_end and may_follow


def exit_code(ends: Sequence[Ended]) -> int:
    """That of the first rank that failed by itself; negative for a signal, 0 if none failed."""
    failed = [end for end in ends if end.code]
    return next((end.code for end in failed if not end.was_slow), failed[0].code if failed else 0)


def describe_failures(ends: Sequence[Ended]) -> str:
    """Which ranks were killed or stopped from outside, e.g. "rank 1 was killed by SIGKILL"."""
    return " and ".join(
        f"rank {rank} was {'stopped' if end.was_stopped else f'killed by {signal_name(-end.code)}'}"
        for rank, end in enumerate(ends)
        if _failed_from_outside(end)
    )


def _failed_from_outside(end: Ended) -> bool:
    return end.code < 0 and not end.was_slow


def _is_stopped(pid: int) -> bool:
    """Whether a process is stopped, as by SIGSTOP."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
