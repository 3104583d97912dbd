"""Whether there is room for what workers take: memory, whose shared pages are taken when they are first written, and
then it is too late to ask; and descriptors, without which they cannot be spoken to.
"""

import resource
from pathlib import Path
from typing import NamedTuple

from paac_cli.errors import ConfigError

_DESCRIPTORS = 8  # of the learner's, or of the server's that forks workers, for each of these
_OTHER_DESCRIPTORS = 64  # of theirs: files, libraries, the terminal


class Room(NamedTuple):
    """Memory that can still be taken."""

    bytes: int
    of: str  #: what sets it
    remedy: str = ""  #: how there may be more


def room_left(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> Room | None:
    """The least of what the machine has and what its control groups (v1 and v2) allow; None where nobody says."""
    rooms = [room for room in (_of_the_machine(proc), *_of_control_groups(proc, cgroups)) if room is not None]
    return min(rooms, default=None)


def make_room_for_descriptors(num_workers: int) -> None:
    """Raise this process's own limit of open files, if need be. Raises ConfigError where it may not go so far."""
    taken = sum(1 for _ in Path("/proc/self/fd").iterdir())
    needed = taken + _OTHER_DESCRIPTORS + _DESCRIPTORS * num_workers
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and needed > most:
        raise ConfigError(
            f"{num_workers} workers need up to {needed:,} open files, and this process may have {most:,}; a smaller "
            "sampling.num_workers needs fewer, and `ulimit -n` allows more"
        )
    if limit != resource.RLIM_INFINITY and needed > limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))


def _of_the_machine(proc: Path) -> Room | None:
    sizes = _numbers(proc / "meminfo")
    if "MemAvailable:" not in sizes:
        return None
    return Room(1024 * (sizes["MemAvailable:"] + sizes.get("SwapFree:", 0)), "this machine")


def _of_control_groups(proc: Path, cgroups: Path) -> list[Room | None]:
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    rooms: list[Room | None] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names, root = ("memory.max", "memory.current", ""), cgroups
        elif "memory" in controllers.split(","):
            names, root = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"), cgroups / "memory"
        else:
            continue
        # In a container its own group may be mounted as the root; those above count as well.
        group = Path(path.lstrip("/"))
        rooms += [_of_a_group(root / part, *names) for part in (group, *group.parents)]
    return rooms


def _of_a_group(group: Path, limit_name: str, used_name: str, prefix: str) -> Room | None:
    try:
        limit, used = int((group / limit_name).read_text()), int((group / used_name).read_text())
    except (OSError, ValueError):  # there is none, or it says "max"
        return None
    stat = _numbers(group / "memory.stat")
    files = sum(stat.get(f"{prefix}{name}_file", 0) for name in ("active", "inactive"))  # given back when asked for
    return Room(max(limit - used + files, 0), "this container", "; or a container with more (docker run --memory)")


def _numbers(path: Path) -> dict[str, int]:
    """The lines `name number ...` of a file, if it is there."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}
