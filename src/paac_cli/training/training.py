"""What a training consists of."""

from dataclasses import dataclass, field

from paac_cli.algorithms.agent import Agent
from paac_cli.config.schema import RunConfig
from paac_cli.events import Log
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.runs.runtime import Runtime
from paac_cli.runs.sinks import MetricSink
from paac_cli.sampling.make import Pool
from paac_cli.spec import Determinism, EnvSpec
from paac_cli.training.evaluator import Evaluator
from paac_cli.training.progress import Progress
from paac_cli.training.ranks import Ranks
from paac_cli.training.stop import StopRequest


@dataclass(frozen=True)
class Training:
    """Everything that `train` works with."""

    config: RunConfig  #: with what was found for settings that are `auto`
    determinism: Determinism | None  #: of the environment, if this session has checked it
    spec: EnvSpec
    pool: Pool
    agent: Agent
    evaluator: Evaluator
    device: str  #: name of the learner's device
    runtime: Runtime
    ranks: Ranks  #: the processes that train together
    run_dir: RunDirectory
    progress: Progress  #: as of the checkpoint that is resumed, or of the start; the loop advances it
    log: Log
    stop: StopRequest
    sinks: list[MetricSink] = field(default_factory=list)
