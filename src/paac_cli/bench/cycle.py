"""The training loop (act, step, learn) with a clock, without logging and saving."""

import itertools
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from paac_cli.errors import ConfigError
from paac_cli.stopwatch import Stopwatch
from paac_cli.training.interaction import Player, interact

if TYPE_CHECKING:
    from paac_cli.bench.stand_ins import RecordedPool
    from paac_cli.sampling.make import Pool

WINDOWS = 5  #: per measurement; odd, so that one of them is the median

_UPDATES = 2  # in the warm-up; TensorFlow has then traced every function
_WARM_UP_TIMEOUT = 40.0  # seconds within which these updates must happen


class TimedWindow(NamedTuple):
    """A measurement over whole rollouts. All fields but `steps` are seconds.

    act, env, learn: wall time in the three phases of the loop. On a GPU, `learn` ends when its work is queued; the next
    `act` waits for the rest of it.
    """

    steps: int  #: agent steps, summed over environments
    seconds: float  #: wall time
    act: float
    env: float
    learn: float
    cpu: float  #: user and system CPU time of all threads of this process, including threads that spin while waiting
    busy: float  #: wall time that a worker spends in steps, averaged over workers

    @property
    def steps_per_second(self) -> float:
        """Agent steps per second of wall time."""
        return self.steps / self.seconds


def median_window(windows: list[TimedWindow]) -> TimedWindow:
    """The window of median speed."""
    return sorted(windows, key=lambda window: window.steps_per_second)[len(windows) // 2]


class Cycle:
    """Measures the loop of a player and a pool."""

    def __init__(self, player: Player, pool: "Pool | RecordedPool", rollout_length: int) -> None:
        """rollout_length: steps (T) of a rollout."""
        self._player, self._pool, self._rollout_length = player, pool, rollout_length
        pool.reset()
        self._updates = 0
        self.steps = 0  #: agent steps so far

    def measure(self, seconds: float, *, learns: bool) -> list[TimedWindow]:
        """`WINDOWS` windows of about `seconds` in total, after an unmeasured warm-up.

        learns: whether `player` learns; then the warm-up includes two updates. Raises ConfigError if they do not happen
        in time.
        """
        self._warm_up(seconds / WINDOWS, _UPDATES if learns else 0)
        return list(itertools.islice(self._windows(seconds / WINDOWS), WINDOWS))

    def _warm_up(self, seconds: float, updates: int) -> None:
        windows, steps = self._windows(seconds), 0
        deadline = time.perf_counter() + _WARM_UP_TIMEOUT
        while True:
            steps += next(windows).steps
            if self._updates >= updates:
                return
            if time.perf_counter() > deadline:
                raise ConfigError(
                    f"the learner made only {self._updates} of {updates} updates in a warm-up of "
                    f"{_WARM_UP_TIMEOUT:.0f} s ({steps:,} steps), because this algorithm first collects experience; "
                    "lower algorithm.learning_starts, e.g. --set algorithm.learning_starts=1000"
                )

    def _windows(self, seconds: float) -> Iterator[TimedWindow]:
        """Windows of whole rollouts: of at least one, and of at least `seconds`."""
        while True:
            stopwatch, steps = Stopwatch(), 0
            start, cpu, busy = time.perf_counter(), time.process_time(), self._pool.busy.mean()
            while time.perf_counter() - start < seconds:
                for step, metrics in interact(self._player, self._pool, self._rollout_length, stopwatch):
                    self._updates += metrics is not None
                    steps += len(step.reward)
            self.steps += steps
            (elapsed, spent), cpu, busy = stopwatch.read(), time.process_time() - cpu, self._pool.busy.mean() - busy
            yield TimedWindow(steps, elapsed, spent["act"], spent["env"], spent["learn"], cpu, float(busy))
