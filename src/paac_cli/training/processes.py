"""Starts `paac` in processes of their own, each on some of the cores of this machine."""

import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from paac_cli.machine import available_cores
from paac_cli.sampling.partition import split_evenly
from paac_cli.standard_output import results_descriptor


def start_paac(
    arguments: Sequence[str],
    cores: Collection[int],
    env: Mapping[str, str],
    output: int | None = None,
    errors: int | None = None,
) -> subprocess.Popen[str]:
    """Start `paac ARGUMENTS`. It stops when this thread ends, and gets signals only from this process, not a terminal.

    cores: that it may use. env: environment variables, besides those of this process. output, errors: as `stdout` and
    `stderr` of `subprocess.Popen`; None: it prints where this process does.
    """
    command = [sys.executable, "-P", "-m", "paac_cli.cli.child", str(os.getpid()), ",".join(map(str, cores))]
    return subprocess.Popen(
        [*command, *arguments],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=results_descriptor() if output is None else output,
        stderr=errors,
        text=True,
        errors="backslashreplace",
        process_group=0,  # Ctrl-C is sent on once, and not by the terminal too, where a second one means more
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
