"""How many worker processes step the environments, and which environments each of them owns."""

from itertools import pairwise

from paac_cli.config.schema import SamplingConfig
from paac_cli.machine import available_cores
from paac_cli.spec import EnvSpec

# Measured on two cores with CartPole and Pendulum, in seconds of each step of the pool
# (docs/performance-experiments.md).
_MESSAGE = 15e-6  # for each worker: to send it a command, and to read its answer
_SHARED_CORE = 250e-6  # if there are as many workers as cores: then waiting processes sleep, and must be woken


def num_workers(sampling: SamplingConfig, spec: EnvSpec) -> int:
    """Worker processes of one `WorkerPool`; an `OverlappedPool` has as many for each of its halves.

    With `auto` one for each core, or fewer if the environments are so fast that waking more processes takes longer than
    what they would save.
    """
    if sampling.num_workers != "auto":
        return sampling.num_workers
    cores, num_envs = available_cores(), sampling.num_envs // (2 if sampling.overlap else 1)
    fastest = cores if spec.step_seconds is None else fastest_number(num_envs, spec.step_seconds, cores)
    return min(fastest, sampling.max_workers)


def fastest_number(num_envs: int, step_seconds: float, cores: int) -> int:
    """The number of workers, at most one for each core, on which `num_envs` environments are fastest.

    step_seconds: of one environment.
    """

    def seconds_per_step(workers: int) -> float:
        overhead = workers * _MESSAGE + (_SHARED_CORE if workers == cores else 0.0)
        return num_envs * step_seconds / workers + overhead

    return min(range(1, cores + 1), key=seconds_per_step)


def split_evenly(envs: range, parts: int) -> list[range]:
    """Split `envs` into contiguous ranges whose lengths differ by at most one."""
    bounds = [envs.start + len(envs) * part // parts for part in range(parts + 1)]
    return [range(first, last) for first, last in pairwise(bounds)]
