"""The pool that a config describes."""

from collections.abc import Callable

from paac_cli.config.schema import RunConfig
from paac_cli.events import Log
from paac_cli.sampling.overlap import OverlappedPool
from paac_cli.sampling.pool import WorkerPool
from paac_cli.spec import EnvSpec

Pool = WorkerPool | OverlappedPool


def make_pool(
    config: RunConfig,
    spec: EnvSpec,
    log: Log,
    stopping: Callable[[], bool] = lambda: False,
    envs: range | None = None,
) -> Pool:
    """Start the workers of a run. `log`, `stopping` and errors are those of `WorkerPool`.

    envs: the environments of this process, if others have the rest of `sampling.num_envs`.
    """
    if envs is not None and len(envs) < config.sampling.num_envs:
        return WorkerPool(
            config.env,
            spec,
            config.sampling.for_part(len(envs)),
            first_env=envs.start,
            rollout_length=config.algorithm.rollout_length,
            seed=config.seed,
            log=log,
            stopping=stopping,
            info_keys=config.info_keys,
        )
    pool = OverlappedPool if config.sampling.overlap else WorkerPool
    return pool(
        config.env,
        spec,
        config.sampling,
        rollout_length=config.algorithm.rollout_length,
        seed=config.seed,
        log=log,
        stopping=stopping,
        info_keys=config.info_keys,
    )
