"""What a training consists of."""

from collections.abc import Sequence
from dataclasses import dataclass

from paac_cli.algorithms.agent import Agent
from paac_cli.config.schema import RunConfig
from paac_cli.events import Log
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.runs.runtime import Runtime
from paac_cli.runs.sinks import MetricSink
from paac_cli.sampling.make import Pool
from paac_cli.spec import Determinism
from paac_cli.training.evaluator import Evaluator
from paac_cli.training.progress import Progress
from paac_cli.training.ranks import ALONE, Ranks
from paac_cli.training.stop import StopRequest


@dataclass(frozen=True)
class Training:
    """Everything that `train` works with."""

    config: RunConfig
    agent: Agent
    pool: Pool
    evaluator: Evaluator
    run_dir: RunDirectory
    progress: Progress  #: as of the checkpoint that is resumed, or of the start; the loop advances it
    runtime: Runtime
    sinks: Sequence[MetricSink]
    log: Log
    stop: StopRequest
    determinism: Determinism | None = None  #: of the environment, if this session has checked it
    ranks: Ranks = ALONE  #: the processes that train together
