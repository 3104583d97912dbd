"""The pool that a config describes."""

from collections.abc import Callable

from paac_cli.config.schema import RunConfig
from paac_cli.envs.placeholders import Copy
from paac_cli.events import Log
from paac_cli.sampling.games import Games
from paac_cli.sampling.overlap import OverlappedPool
from paac_cli.sampling.pool import WorkerPool
from paac_cli.sampling.recovery import RestartBudget
from paac_cli.spec import EnvSpec

Pool = WorkerPool | OverlappedPool


def make_pool(
    config: RunConfig,
    spec: EnvSpec,
    log: Log,
    stopping: Callable[[], bool] = lambda: False,
    envs: range | None = None,
    budget: RestartBudget | None = None,
) -> Pool:
    """Start the workers of a run. `log`, `stopping`, `budget` and errors are those of `WorkerPool`.

    envs: the environments of this process, if others have the rest of `sampling.num_envs`.
    """
    # Of several ranks on one machine, no two workers have the same index: a rank has at most one for each environment.
    first_env, sampling = (0, config.sampling) if envs is None else (envs.start, config.sampling.for_part(len(envs)))
    pool = OverlappedPool if sampling.overlap else WorkerPool
    games = Games(config.env, config.seed, config.info_keys, first=Copy(first_env, first_env))
    length = config.algorithm.rollout_length
    return pool(games, spec, sampling, rollout_length=length, log=log, stopping=stopping, budget=budget)
