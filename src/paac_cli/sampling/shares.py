"""Who steps which environments."""

import os
from itertools import pairwise


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def split_evenly(envs: range, num_shares: int) -> list[range]:
    """Contiguous shares of the environments whose sizes differ by at most one."""
    bounds = [envs.start + len(envs) * share // num_shares for share in range(num_shares + 1)]
    return [range(first, last) for first, last in pairwise(bounds)]
