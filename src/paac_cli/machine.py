"""The machine that all of this runs on."""

import os
import platform
from pathlib import Path
from typing import Any


def available_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def core_for_each(processes: int) -> list[int | None]:
    """A core of its own for each process where there are as many cores as processes; None where the system decides."""
    cores = sorted(os.sched_getaffinity(0))
    return [*cores] if len(cores) == processes else [None] * processes


def processor() -> str:
    """Its model, as far as the system tells."""
    return _told_of("model name", "/proc/cpuinfo") or platform.machine()


def machine() -> dict[str, Any]:
    """The processor and what else matters of this machine to who reads a result."""
    kilobytes = _told_of("MemTotal", "/proc/meminfo").removesuffix(" kB")
    return {
        "processor": processor(),
        "cores": available_cores(),
        "memory": f"{int(kilobytes) * 1024 / 1e9:.0f} GB" if kilobytes else "unknown",
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
    }


def _told_of(name: str, file: str) -> str:
    """What stands first behind `name:` in a file of /proc; empty where there is no such thing."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
