"""Act, step, learn, over and over, with a clock between: the loop of training without what it logs and saves.

What acts and learns is a `Player`, what steps is a `Stage`; random actions and recorded screens take the
place of an agent and of a pool where one of the two is measured alone.
"""

import itertools
import time
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.errors import ConfigError
from paac_cli.sampling.pool import Tell, WorkerPool
from paac_cli.sampling.rollout import Player, Stage, Stopwatch, rollout
from paac_cli.spec import ActionSpec, EnvSpec
from paac_cli.timestep import TimeStep

WINDOWS = 5  #: into which a measurement is cut; an odd number, so that one of them is the median

_DRAWN = 1000  # random actions of every environment before they come again
_UPDATES = 2  # after which everything has been traced
_PATIENCE = 40.0  # seconds of warm-up in which they have to come


class Window(NamedTuple):
    """One stretch of whole rollouts. All but `steps` are seconds.

    act, env, learn are wall time between three looks at the clock. On a GPU, `learn` ends when its work is
    handed over; what the device has not done by then is waited for in the next `act`.
    """

    steps: int  #: agent steps, over all environments
    seconds: float  #: of wall time
    act: float
    env: float
    learn: float
    cpu: float  #: of this process, all its threads, user and system; what spins while it waits counts too
    busy: float  #: of wall time in which a worker stepped, the mean over workers

    @property
    def steps_per_second(self) -> float:
        """Agent steps per second of wall time."""
        return self.steps / self.seconds


def median_window(windows: list[Window]) -> Window:
    """The one of median speed."""
    return sorted(windows, key=lambda window: window.steps_per_second)[len(windows) // 2]


class RandomPlayer:
    """Plays random actions, drawn beforehand, and learns nothing."""

    def __init__(self, action: ActionSpec, num_envs: int, seed: int) -> None:
        self._actions = itertools.cycle(action.draw(np.random.default_rng(seed), _DRAWN, num_envs))

    def act(self, step: TimeStep) -> NDArray:
        return next(self._actions)[step.envs]

    def learn(self, step: TimeStep) -> None:
        pass


class RecordedRollout:
    """Shows the same rollout over and over, from where the workers of a pool have written it. Takes no time."""

    busy = np.zeros(1)
    num_parts = 1

    def __init__(self, steps: list[TimeStep]) -> None:
        """steps: one rollout, slots 1 to T."""
        self._latest, self._steps = steps[-1]._replace(slot=0), itertools.cycle(steps)

    @classmethod
    def of(cls, config: RunConfig, spec: EnvSpec, tell: Tell) -> Self:
        """The first rollout of the run that `config` describes, under random actions. No worker is left.

        tell: as for any pool.
        """
        player = RandomPlayer(spec.action, config.sampling.num_envs, config.seed)
        with WorkerPool.of(config, spec, tell) as pool:
            step = pool.reset()
            return cls([step := pool.step(player.act(step)) for _ in range(config.algorithm.rollout_length)])

    def reset(self) -> TimeStep:
        return self._latest

    def latest(self, part: int | None = None) -> TimeStep:
        return self._latest

    def step(self, actions: NDArray) -> TimeStep:
        self._latest = next(self._steps)
        return self._latest

    def send(self, actions: NDArray, part: int) -> None:
        raise NotImplementedError("there is but one part")

    def receive(self, part: int) -> TimeStep:
        raise NotImplementedError("there is but one part")


class Cycle:
    """`player` on `stage`."""

    def __init__(self, player: Player, stage: Stage, rollout_length: int) -> None:
        """rollout_length: steps (T) that make a rollout."""
        self._player, self._stage, self._rollout_length = player, stage, rollout_length
        stage.reset()
        self._updates = 0

    def measure(self, seconds: float, *, learns: bool) -> list[Window]:
        """`WINDOWS` windows of about `seconds` together, after a warm-up that is in none of them.

        learns: `player` does, and two updates belong to the warm-up. Raises ConfigError where they do not come.
        """
        self._warm_up(seconds / WINDOWS, _UPDATES if learns else 0)
        return list(itertools.islice(self._windows(seconds / WINDOWS), WINDOWS))

    def _warm_up(self, seconds: float, updates: int) -> None:
        windows, steps = self._windows(seconds), 0
        deadline = time.perf_counter() + _PATIENCE
        while True:
            steps += next(windows).steps
            if self._updates >= updates:
                return
            if time.perf_counter() > deadline:
                raise ConfigError(
                    f"only {self._updates} of {updates} updates in {_PATIENCE:.0f} s and {steps:,} steps of warm-up: "
                    "this algorithm gathers experience for longer; a smaller algorithm.learning_starts shortens that"
                )

    def _windows(self, seconds: float) -> Iterator[Window]:
        """Windows of whole rollouts, each of at least `seconds` if that is more than a rollout."""
        while True:
            watch, start, cpu, busy = Stopwatch(), time.perf_counter(), time.process_time(), self._stage.busy.mean()
            steps = 0
            while time.perf_counter() - start < seconds:
                for step in rollout(self._player, self._stage, self._rollout_length, watch):
                    self._updates += self._player.learn(step) is not None
                    watch.lap("learn")
                    steps += len(step.reward)
            (elapsed, spent), cpu, busy = watch.read(), time.process_time() - cpu, self._stage.busy.mean() - busy
            yield Window(steps, elapsed, spent["act"], spent["env"], spent["learn"], cpu, float(busy))
