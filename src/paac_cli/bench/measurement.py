"""The raw result of one measurement."""

from typing import Literal, NamedTuple

from paac_cli.bench.cycle import TimedWindow, median_window
from paac_cli.bench.env_costs import EnvCosts
from paac_cli.config.schema import RunConfig

#: sampler: workers with random actions; learner: acting and learning on a recorded rollout; train: both in lock-step.
Workload = Literal["sampler", "learner", "train"]


class Arithmetic(NamedTuple):
    """The products and convolutions of a learner. FLOP: floating-point operations."""

    flop: float  #: per step
    flop_per_second: float  #: of a product of two large matrices, in the number format of the torsos

    @property
    def us(self) -> float:
        """Microseconds per step, if they were as fast as that product."""
        return 1e6 * self.flop / self.flop_per_second


class Measurement(NamedTuple):
    """A workload, its measured windows, and the costs of its parts measured alone."""

    workload: Workload
    config: RunConfig
    windows: list[TimedWindow]
    num_workers: int | None = None  #: None for the learner alone
    costs: EnvCosts | None = None  #: of the environments alone; None for the learner alone
    network_us: float | None = None  #: CPU microseconds per step of acting and learning alone; None for the sampler
    arithmetic: Arithmetic | None = None  #: of the learner; None for the sampler
    device: str | None = None  #: of the learner, e.g. "CPU"; None for the sampler

    @property
    def unavoidable_us(self) -> float:
        """CPU microseconds per step that no implementation can avoid: those of the emulator and the network."""
        return (self.costs.emulate if self.costs else 0.0) + (self.network_us or 0.0)


def cpu_us(windows: list[TimedWindow]) -> float:
    """CPU microseconds of this process per step, in the window of median speed."""
    window = median_window(windows)
    return 1e6 * window.cpu / window.steps
