"""How many worker processes step the environments, and which environments each of them owns."""

from itertools import pairwise

from paac_cli.config.schema import SamplingConfig
from paac_cli.machine import available_cores
from paac_cli.spec import EnvSpec

# Measured on two cores with CartPole and Pendulum, in seconds of each step of the pool; see docs/performance.md.
_MESSAGE = 15e-6  # for each worker: to send it a command, and to read its answer
_SHARED_CORE = 250e-6  # if there are as many workers as cores: then waiting processes sleep, and must be woken


def num_workers(sampling: SamplingConfig, spec: EnvSpec) -> int:
    """Worker processes of one `WorkerPool`; an `OverlappedPool` has as many for each of its halves.

    With `auto` one for each core, or fewer if the environments are so fast that waking more processes takes longer than
    what they would save.
    """
    if sampling.num_workers != "auto":
        return sampling.num_workers
    cores, seconds = available_cores(), spec.step_seconds

    def seconds_per_step(workers: int) -> float:
        assert seconds is not None
        overhead = workers * _MESSAGE + (_SHARED_CORE if workers == cores else 0.0)
        return sampling.num_envs * seconds / workers + overhead

    fastest = cores if seconds is None else min(range(1, cores + 1), key=seconds_per_step)
    return min(fastest, sampling.max_workers)


def split_evenly(envs: range, parts: int) -> list[range]:
    """Split `envs` into contiguous ranges whose lengths differ by at most one."""
    bounds = [envs.start + len(envs) * part // parts for part in range(parts + 1)]
    return [range(first, last) for first, last in pairwise(bounds)]
