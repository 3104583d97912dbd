"""What `train` and `verify` share: a pool and an agent, loaded side by side."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from paac_cli.training.import_tensorflow import import_tensorflow

if TYPE_CHECKING:
    from paac_cli.algorithms.agent import Agent
    from paac_cli.config.schema import RunConfig
    from paac_cli.sampling.pool import WorkerPool
    from paac_cli.spec import EnvSpec


class Loaded(NamedTuple):
    """All that a config asks for, ready to train."""

    spec: "EnvSpec"
    pool: "WorkerPool"
    agent: "Agent"
    device: str  #: of the learner, in words


@contextlib.contextmanager
def loaded(config: "RunConfig", tell: Callable[[str], None], stopping: Callable[[], bool]) -> "Iterator[Loaded]":
    """Pool and agent of `config`; the workers end with the block. tell and stopping: as the pool has them.

    First come the workers, then TensorFlow, which takes seconds to import while they load.
    """
    from paac_cli.envs.make import describe_env
    from paac_cli.sampling.pool import WorkerPool

    spec = describe_env(config.env)
    with WorkerPool.of(config, spec, tell, stopping) as pool:
        import_tensorflow()
        from paac_cli.algorithms.agent import make_agent
        from paac_cli.training.device import choose_device

        device = choose_device(config.training.device, deterministic=config.training.deterministic)
        yield Loaded(spec, pool, make_agent(config, spec), device)
