"""How many worker processes step the environments, and which environments each of them owns."""

from itertools import pairwise

from paac_cli.config.schema import SamplingConfig
from paac_cli.machine import available_cores


def num_workers(sampling: SamplingConfig) -> int:
    """Worker processes of one `WorkerPool`; an `OverlappedPool` has as many for each of its halves."""
    return min(available_cores(), sampling.max_workers) if sampling.num_workers == "auto" else sampling.num_workers


def split_evenly(envs: range, parts: int) -> list[range]:
    """Split `envs` into contiguous ranges whose lengths differ by at most one."""
    bounds = [envs.start + len(envs) * part // parts for part in range(parts + 1)]
    return [range(first, last) for first, last in pairwise(bounds)]
