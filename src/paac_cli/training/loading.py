"""Builds the training of a config."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from paac_cli.config.schema import RunConfig
from paac_cli.events import Alert, Info, Log
from paac_cli.import_tensorflow import import_tensorflow
from paac_cli.runs.checkpoint import Checkpoint
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.sampling.describe import describe, find_determinism
from paac_cli.sampling.make import make_pool
from paac_cli.training.evaluator import open_evaluator
from paac_cli.training.progress import Progress
from paac_cli.training.ranks import ALONE, Ranks
from paac_cli.training.stop import StopRequest

if TYPE_CHECKING:
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

    found = None
    if checkpoint is not None:
        config = config.resuming(checkpoint.config)
    spec = describe(config.env, config.sampling)
    if checkpoint is None and config.env.fresh_per_episode == "auto" and not config.env.is_atari:
        found = find_determinism(config.env, config.sampling)
        config = config.with_settings("env", fresh_per_episode=found.verdict == "carries state")
    if ranks.size > 1:
        from paac_cli.training.device import resolve_precision

        config = ranks.config_of_first(resolve_precision(config))
    initial = None
    if checkpoint is None and config.init_from is not None:
        from paac_cli.training.warm_start import find_initial_policy

        found_policy = find_initial_policy(config.init_from, lambda text: log(Alert(text))) if ranks.is_first else None
        initial = ranks.policy_of_first(found_policy)
        config = config.with_settings("init_from", sha256=initial.sha256)
    num_envs = config.sampling.num_envs
    envs = ranks.share(num_envs)
    with (
        make_pool(config, spec, log, stopping, envs) as pool,
        open_evaluator(config, spec, pool.num_workers, ranks, log, stopping) as evaluator,
    ):
        if ranks.size == 1:  # several ranks have done so already, to connect
            prepare_device(config)
        from paac_cli.algorithms.agent import make_agent
        from paac_cli.training.device import device_in_use, resolve_precision, runtime
        from paac_cli.training.training import Training

        config = resolve_precision(config)  # as it is for several ranks, which have the precision of the first
        policy, group = checkpoint.policy if checkpoint else None, None
        if ranks.connection is not None:
            from paac_cli.learning.process_group import ProcessGroup

            group = ProcessGroup(num_envs, envs, ranks.connection.total)
        agent = make_agent(config, spec, policy, group)
        if initial is not None and config.init_from is not None:
            from paac_cli.training.warm_start import begin_with

            log(Info(str(begin_with(agent, initial.arrays, config.init_from.path))))
        yield Training(
            config=config,
            determinism=found,
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


def prepare_device(config: RunConfig, local_rank: int = 0) -> None:
    """Import TensorFlow and let it use the device of `config`. local_rank, errors: as of `choose_device`."""
    import_tensorflow()
    from paac_cli.training.device import choose_device

    choose_device(config.training.device, deterministic=config.training.deterministic, local_rank=local_rank)
