"""Builds the training of a config."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from paac_cli.config.schema import RunConfig
from paac_cli.events import Alert, Info, Log
from paac_cli.import_tensorflow import import_tensorflow
from paac_cli.runs.checkpoint import Checkpoint, PolicyArrays
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.sampling.describe import describe, find_determinism
from paac_cli.sampling.make import make_pool
from paac_cli.sampling.recovery import RestartBudget
from paac_cli.spec import Determinism, EnvSpec
from paac_cli.training.evaluator import open_evaluator
from paac_cli.training.progress import Progress
from paac_cli.training.ranks import ALONE, Ranks
from paac_cli.training.stop import StopRequest

if TYPE_CHECKING:
    from paac_cli.algorithms.agent import Agent
    from paac_cli.training.training import Training


@contextlib.contextmanager
def load_training(
    config: RunConfig,
    run_dir: RunDirectory,
    progress: Progress,
    log: Log,
    stop: StopRequest,
    checkpoint: Checkpoint | None,
    ranks: Ranks = ALONE,
) -> Iterator["Training"]:
    """A context manager for the training of `config`, still without sinks; at its end the workers end.

    The workers start first and load while TensorFlow is imported, which takes seconds.
    stop: once it is requested, a single rank does not wait for hung workers; several stop together, after a rollout.
    checkpoint: that will be restored, if there is one; without one, the environment is checked.
    ranks: the processes that train together; the pool has the environments of this one.

    Raises CheckpointError if the weights of `checkpoint` do not fit the network.
    """

    def stopping() -> bool:
        return bool(stop) and ranks.size == 1

    if checkpoint is not None:
        config = config.resuming(checkpoint.config)
    spec = describe(config.env, config.sampling)
    determinism, initial = None, None
    if checkpoint is None:
        determinism, config = _check_environment(config)
    if ranks.size > 1:
        from paac_cli.training.device import resolve_precision

        config = ranks.config_of_first(resolve_precision(config))
    if checkpoint is None:
        initial, config = _find_initial_policy(config, ranks, log)
    envs, budget = ranks.share(config.sampling.num_envs), RestartBudget(config.sampling.max_restarts)
    with (
        make_pool(config, spec, log, stopping, envs, budget) as pool,
        open_evaluator(config, spec, pool.num_workers, ranks, log, stopping, budget) as evaluator,
    ):
        if ranks.size == 1:  # several ranks have done so already, to connect
            prepare_device(config)
        from paac_cli.training.device import device_in_use, resolve_precision, runtime
        from paac_cli.training.training import Training

        config = resolve_precision(config)  # as it is for several ranks, which have the precision of the first
        agent = _make_agent(config, spec, checkpoint, ranks)
        if initial is not None and config.init_from is not None:
            from paac_cli.training.warm_start import begin_with

            log(Info(str(begin_with(agent, initial.arrays, config.init_from.path))))
        yield Training(
            config=config,
            determinism=determinism,
            spec=spec,
            pool=pool,
            agent=agent,
            evaluator=evaluator,
            device=device_in_use(),
            runtime=ranks.runtime(runtime(deterministic=config.training.deterministic)),
            ranks=ranks,
            run_dir=run_dir,
            progress=progress,
            log=log,
            stop=stop,
        )


def _check_environment(config: RunConfig) -> tuple[Determinism | None, RunConfig]:
    """What a check of the environment has found, if the config wants one, and the config that follows from it."""
    if config.env.fresh_per_episode != "auto" or config.env.is_atari:
        return None, config
    found = find_determinism(config.env, config.sampling)
    return found, config.with_settings("env", fresh_per_episode=found.verdict == "carries state")


def _find_initial_policy(config: RunConfig, ranks: Ranks, log: Log) -> tuple[PolicyArrays | None, RunConfig]:
    """The policy of `init_from`, and the config with its checksum. Raises as `find_initial_policy`."""
    if config.init_from is None:
        return None, config
    from paac_cli.training.warm_start import find_initial_policy

    found = find_initial_policy(config, lambda text: log(Alert(text))) if ranks.is_first else None
    initial = ranks.policy_of_first(found)
    return initial, config.with_settings("init_from", sha256=initial.sha256)


def _make_agent(config: RunConfig, spec: EnvSpec, checkpoint: Checkpoint | None, ranks: Ranks) -> "Agent":
    """The agent, with its initial weights. Raises as `make_agent`."""
    from paac_cli.algorithms.agent import make_agent

    group = None
    if ranks.connection is not None:
        from paac_cli.learning.process_group import ProcessGroup

        num_envs = config.sampling.num_envs
        group = ProcessGroup(num_envs, ranks.share(num_envs), ranks.connection.total)
    return make_agent(config, spec, checkpoint.policy if checkpoint else None, group)


def prepare_device(config: RunConfig, local_rank: int = 0) -> None:
    """Import TensorFlow and let it use the device of `config`. local_rank, errors: as of `choose_device`."""
    import_tensorflow()
    from paac_cli.training.device import choose_device

    choose_device(config.training.device, deterministic=config.training.deterministic, local_rank=local_rank)
