"""The machine that paac runs on: its cores, processor and memory."""

import math
import os
import platform
from pathlib import Path
from typing import Any

from paac_cli.control_groups import CGROUPS, PROC, cpu_quota

#: Flag in /proc/cpuinfo -> name.
_VECTOR_EXTENSIONS = {
    "avx": "AVX",
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
    "asimd": "NEON",
    "sve": "SVE",
}


def available_cores(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Number of cores that this process can use: those it may run on, or fewer if a container limits its CPU time.

    proc, cgroups: where the kernel's file systems are mounted.
    """
    quota = cpu_quota(proc, cgroups)
    cores = len(os.sched_getaffinity(0))
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def has_cpu_quota() -> bool:
    """Whether this process can use fewer cores than it may run on."""
    return available_cores() < len(os.sched_getaffinity(0))


def core_for_each(processes: int) -> list[int | None]:
    """The core to pin each process to: one each if there are exactly `processes` cores, otherwise None (not pinned)."""
    cores = sorted(os.sched_getaffinity(0))
    return [*cores] if len(cores) == processes == available_cores() else [None] * processes


def processor() -> str:
    """The processor model, e.g. `AMD EPYC 7763 64-Core Processor`; the architecture if /proc/cpuinfo has no model."""
    return _proc_value("model name", "/proc/cpuinfo") or platform.machine()


def vector_extensions() -> list[str]:
    """The processor's instructions that decide how fast networks compute, e.g. `["AVX2", "AVX-512"]`."""
    flags = {*_proc_value("flags", "/proc/cpuinfo").split(), *_proc_value("Features", "/proc/cpuinfo").split()}
    return [name for flag, name in _VECTOR_EXTENSIONS.items() if flag in flags]


def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16."""
    return not {"AVX-512 BF16", "AMX BF16"}.isdisjoint(vector_extensions())


def machine() -> dict[str, Any]:
    """The machine, as result files describe it: processor, cores, memory, kernel and Python version."""
    kilobytes = _proc_value("MemTotal", "/proc/meminfo").removesuffix(" kB")
    return {
        "processor": processor(),
        "vector_extensions": vector_extensions(),
        "cores": available_cores(),
        "memory": f"{int(kilobytes) * 1024 / 1e9:.0f} GB" if kilobytes else "unknown",
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
    }


def _proc_value(name: str, file: str) -> str:
    """The first value of `name` in a file of `name: value` lines; empty if the file or the name is missing."""
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
