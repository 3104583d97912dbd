"""Who steps which environments."""

import os
from itertools import pairwise


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def split_evenly(num_envs: int, num_workers: int) -> list[range]:
    """Contiguous shares of the environments whose sizes differ by at most one."""
    bounds = [num_envs * worker // num_workers for worker in range(num_workers + 1)]
    return [range(first, last) for first, last in pairwise(bounds)]
