"""The Linux control groups that limit this process, such as those of its container."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


class ControlGroup(NamedTuple):
    """A group of this process, in which the files of a controller may exist."""

    directory: Path
    version: int  #: 1 or 2: the files have other names


def control_groups(controller: str, proc: Path = PROC, cgroups: Path = CGROUPS) -> Iterator[ControlGroup]:
    """The groups that may limit `controller` ("cpu" or "memory"): those of this process, and all above them.

    proc, cgroups: where the file systems are mounted.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            version, roots = 2, [cgroups, cgroups / "unified"]
        elif controller in controllers.split(","):
            version, roots = 1, [cgroups / name for name in dict.fromkeys([controller, controllers])]
        else:
            continue
        # In a container the process's own group may be mounted as the root.
        group = Path(path.lstrip("/"))
        for root in roots:
            yield from (ControlGroup(root / part, version) for part in (group, *group.parents))


def cpu_quota(proc: Path = PROC, cgroups: Path = CGROUPS) -> float | None:
    """The number of cores whose time the control groups allow, maybe a fraction; None if they do not limit it."""
    quotas = [_quota(group) for group in control_groups("cpu", proc, cgroups)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(group: ControlGroup) -> float | None:
    try:
        if group.version == 2:
            limits = (group.directory / "cpu.max").read_text().split()
        else:
            limits = [(group.directory / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")]
        quota, period = map(int, limits)  # microseconds
    except (OSError, ValueError):  # the group does not exist, or its limit is "max"
        return None
    return quota / period if quota > 0 and period > 0 else None  # in version 1, -1 is no limit
