"""Who steps which environments."""

from itertools import pairwise

from paac_cli.config.schema import SamplingConfig
from paac_cli.machine import available_cores


def num_workers(sampling: SamplingConfig) -> int:
    """Processes that step the environments."""
    return min(available_cores(), sampling.most_workers) if sampling.num_workers == "auto" else sampling.num_workers


def split_evenly(envs: range, num_shares: int) -> list[range]:
    """Contiguous shares of the environments whose sizes differ by at most one."""
    bounds = [envs.start + len(envs) * share // num_shares for share in range(num_shares + 1)]
    return [range(first, last) for first, last in pairwise(bounds)]
