"""One rollout after the other: act and step, in lock-step or with two halves of the environments in turn."""

import time
from collections.abc import Iterator
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from paac_cli.timestep import TimeStep


class Player(Protocol):
    """What plays: an `Agent`, or what takes its place."""

    def act(self, step: TimeStep) -> NDArray:
        """Actions [N, ...] for `step.obs`."""

    def learn(self, step: TimeStep) -> object:
        """Take in what they led to; something other than None if this completed an update."""


class Stage(Protocol):
    """What is played on: a `WorkerPool`, or what takes its place."""

    num_parts: int

    @property
    def busy(self) -> NDArray[np.float64]:
        """[num_workers] seconds that each has spent in steps so far."""

    def reset(self) -> TimeStep: ...

    def latest(self, part: int | None = None) -> TimeStep: ...

    def step(self, actions: NDArray) -> TimeStep: ...

    def send(self, actions: NDArray, part: int) -> None: ...

    def receive(self, part: int) -> TimeStep: ...


class Stopwatch:
    """Splits time into what was done in it: acting, waiting for environments, learning."""

    def __init__(self) -> None:
        self._start = self._mark = time.perf_counter()
        self._spent = {"act": 0.0, "env": 0.0, "learn": 0.0}

    def lap(self, name: Literal["act", "env", "learn"]) -> None:
        """All since the last lap was `name`."""
        now = time.perf_counter()
        self._spent[name] += now - self._mark
        self._mark = now

    def skip(self) -> None:
        """All since the last lap was something else."""
        self._mark = time.perf_counter()

    def read(self) -> tuple[float, dict[str, float]]:
        """Seconds from the last reading to the last lap, skipped ones too; and name -> seconds."""
        elapsed, spent = self._mark - self._start, self._spent
        self._start, self._spent = self._mark, dict.fromkeys(spent, 0.0)
        return elapsed, spent


def rollout(agent: Player, pool: Stage, num_steps: int, watch: Stopwatch) -> Iterator[TimeStep]:
    """The next `num_steps` steps of all environments, each to be learned from before the next is asked for."""
    if pool.num_parts > 1:
        yield from _overlapping_rollout(agent, pool, num_steps, watch)
        return
    for _ in range(num_steps):
        actions = agent.act(pool.latest())
        watch.lap("act")
        step = pool.step(actions)
        watch.lap("env")
        yield step


def _overlapping_rollout(agent: Player, pool: Stage, num_steps: int, watch: Stopwatch) -> Iterator[TimeStep]:
    """As `rollout`, but while one part of the environments plays, the agent acts for the next."""
    for t in range(num_steps):
        for part in range(pool.num_parts):
            step = pool.receive(part) if t > 0 else pool.latest(part)
            watch.lap("env")
            pool.send(agent.act(step), part)
            watch.lap("act")
        if t > 0:
            yield pool.latest()
    for part in range(pool.num_parts):
        pool.receive(part)
    watch.lap("env")
    yield pool.latest()
