"""How much memory can still be allocated.

The kernel provides a page of memory when it is first written. Without a check at the start, a run that is too large
would be killed in the middle of a rollout.
"""

import resource
from pathlib import Path
from typing import NamedTuple

from paac_cli.control_groups import CGROUPS, PROC, ControlGroup, control_groups
from paac_cli.errors import ConfigError

#: Version of control groups -> files of the limit and of the use, and the prefix of the names in memory.stat.
_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    2: ("memory.max", "memory.current", ""),
}


class AvailableMemory(NamedTuple):
    """Memory that can still be allocated."""

    bytes: int
    source: str  #: what limits it: "this machine" or "this container"
    remedy: str = ""  #: the end of a message: how to get more


def available_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> AvailableMemory | None:
    """The smaller of what the machine has left and what its control groups (v1 and v2) allow; None if unknown."""
    allowed = map(_of_control_group, control_groups("memory", proc, cgroups))
    return min((memory for memory in (_of_machine(proc), *allowed) if memory is not None), default=None)


def require_memory(size: int, what: str, remedy: str) -> None:
    """Raises ConfigError if `size` bytes are not available. what: needs them; remedy: how it would need less."""
    memory = available_memory()
    if memory is not None and size > memory.bytes:
        raise ConfigError(
            f"{what} need {size:,} bytes of memory, but {memory.source} has {memory.bytes:,} bytes available; "
            f"{remedy}{memory.remedy}"
        )


def memory_limit_note() -> str:
    """The end of a message about missing memory: the limit of this process; empty if it has none."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return (
        "" if limit == resource.RLIM_INFINITY else f"; this process may use only {limit:,} bytes of memory (ulimit -v)"
    )


def _of_machine(proc: Path) -> AvailableMemory | None:
    sizes = _numbers(proc / "meminfo")
    if "MemAvailable:" not in sizes:
        return None
    return AvailableMemory(1024 * (sizes["MemAvailable:"] + sizes.get("SwapFree:", 0)), "this machine")


def _of_control_group(group: ControlGroup) -> AvailableMemory | None:
    limit_name, used_name, prefix = _FILES[group.version]
    try:
        limit, used = (int((group.directory / name).read_text()) for name in (limit_name, used_name))
    except (OSError, ValueError):  # the group does not exist, or its limit is "max"
        return None
    stat = _numbers(group.directory / "memory.stat")
    cached = sum(stat.get(f"{prefix}{name}_file", 0) for name in ("active", "inactive"))  # the kernel can reclaim it
    remedy = ", or give the container more memory (docker run --memory)"
    return AvailableMemory(max(limit - used + cached, 0), "this container", remedy)


def _numbers(path: Path) -> dict[str, int]:
    """The lines `name number ...` of a file; empty if it cannot be read."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}
