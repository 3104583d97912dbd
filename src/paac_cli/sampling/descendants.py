"""Ends the programs that environments have started.

Every process from the fork server leads a process group of its own and carries a mark: an environment variable. What
it starts is in the group, inherits the mark, or both. A program in a session of its own has left the group, but not
the mark; a copy of the process (`os.fork`) has no mark in /proc, but is in the group.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

MARK = "PAAC_PROCESS"  #: environment variable with the mark of the process

_TIMEOUT = 2.0  # seconds for killed processes to end
_POLL = 0.005  # seconds


def kill_group(leader: int) -> None:
    """Kill the process group that `leader` leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def kill_marked(marks: Iterable[str]) -> None:
    """Kill every process that carries one of `marks`, and wait until they have ended, at most 2 s."""
    wanted = [f"{MARK}={mark}\0".encode() for mark in marks]
    deadline = time.monotonic() + _TIMEOUT
    while found := [pid for pid, variables in _environments() if any(mark in variables for mark in wanted)]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:  # e.g. one that waits for a disk
            return
        time.sleep(_POLL)


def _environments() -> Iterable[tuple[int, bytes]]:
    """Process id and environment variables of every process that this one may inspect."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            yield int(path.parent.name), path.read_bytes()
