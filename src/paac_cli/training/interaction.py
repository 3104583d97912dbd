"""How a player and a pool interact: act, step, learn."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from paac_cli.sampling.overlap import HALVES, OverlappedPool
from paac_cli.stopwatch import Stopwatch
from paac_cli.timestep import TimeStep


class Player(Protocol):
    """Chooses actions and learns from their outcome: an `Agent`, or what stands in for one in a benchmark."""

    def act(self, step: TimeStep) -> NDArray:
        """Actions [N, ...] for `step.obs`."""

    def learn(self, step: TimeStep) -> Mapping[str, Any] | None:
        """Learn from the outcome of the last actions; the metrics of an update if this completed one, else None."""


class LockStepPool(Protocol):
    """Steps all environments at the same time: a `WorkerPool`, or what stands in for one in a benchmark."""

    @property
    def latest(self) -> TimeStep:
        """What `step` or `reset` returned last."""

    def step(self, actions: NDArray) -> TimeStep:
        """Play `actions` [N, ...]."""


def interact(
    player: Player, pool: LockStepPool | OverlappedPool, num_steps: int, stopwatch: Stopwatch
) -> Iterator[tuple[TimeStep, Mapping[str, Any] | None]]:
    """Play `num_steps` steps, at most one rollout: in lock-step, or with `sampling.overlap` in halves.

    Yields each time step and the metrics that `learn` returned for it.
    The time that the caller spends on a yielded step counts as learning.
    """
    if isinstance(pool, OverlappedPool):
        yield from _interact_in_halves(player, pool, num_steps, stopwatch)
        return
    step = pool.latest
    for _ in range(num_steps):
        actions = player.act(step)
        stopwatch.lap("act")
        step = pool.step(actions)
        stopwatch.lap("env")
        yield step, player.learn(step)
        stopwatch.lap("learn")


def _interact_in_halves(
    player: Player, pool: OverlappedPool, num_steps: int, stopwatch: Stopwatch
) -> Iterator[tuple[TimeStep, Mapping[str, Any] | None]]:
    """The player learns from step `t` after both halves were sent the actions of step `t + 1`.

    After the last step it waits for both. `num_steps` must not go beyond the end of the rollout: the first step of the
    next one overwrites slot 0.
    """
    assert pool.latest.slot % pool.rollout_length + num_steps <= pool.rollout_length
    for t in range(num_steps):
        for half in HALVES:
            step = pool.receive(half) if t > 0 else pool.latest_of(half)
            stopwatch.lap("env")
            pool.send(player.act(step), half)
            stopwatch.lap("act")
        if t > 0:
            yield pool.latest, player.learn(pool.latest)
            stopwatch.lap("learn")
    for half in HALVES:
        pool.receive(half)
    stopwatch.lap("env")
    yield pool.latest, player.learn(pool.latest)
    stopwatch.lap("learn")
