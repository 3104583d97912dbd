"""Starts `paac` in processes of their own, each on some of the cores of this machine."""

import ctypes
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from paac_cli.machine import available_cores
from paac_cli.sampling.partition import split_evenly

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a process gets when the one that started it ends


def start_paac(
    arguments: Sequence[str],
    cores: Collection[int],
    env: Mapping[str, str],
    output: int | None = None,
    errors: int | None = None,
) -> subprocess.Popen[str]:
    """Start `paac ARGUMENTS`. It stops when this process ends, and gets signals only from it, not from a terminal.

    cores: that it may use. env: environment variables, besides those of this process. output, errors: as `stdout` and
    `stderr` of `subprocess.Popen`; None: it prints where this process does.
    """
    libc = ctypes.CDLL(None)

    def prepare() -> None:  # in the new process, before `paac` starts in it
        os.sched_setaffinity(0, cores)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(
        [sys.executable, "-P", "-m", "paac_cli", *arguments],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        text=True,
        errors="backslashreplace",
        process_group=0,  # Ctrl-C is sent on once, and not by the terminal too, where a second one means more
        preexec_fn=prepare,
    )


def forward_lines(process: subprocess.Popen[str], name: str, show: Callable[[str], None]) -> threading.Thread:
    """Show every line that `process` prints into its pipe, after its `name`. The thread ends with the process."""
    lines = process.stdout
    assert lines is not None

    def forward() -> None:
        for line in lines:
            show(f"{name}: {line.rstrip()}")

    thread = threading.Thread(target=forward, daemon=True)
    thread.start()
    return thread


def split_cores(parts: int) -> list[set[int]]:
    """The cores of each of `parts` processes: they divide those of this process, or share them if there are too few.

    If a container limits the CPU time, each gets only as many cores as its share of that time can keep busy.
    """
    cores, most = sorted(os.sched_getaffinity(0)), math.ceil(available_cores() / parts)
    if len(cores) < parts:
        return [{cores[part % len(cores)]} for part in range(parts)]
    return [{cores[index] for index in part[:most]} for part in split_evenly(range(len(cores)), parts)]
