"""`sampling.overlap`: two halves of the environments take turns, so that the workers play while the learner acts.

While the environments of one half play, the learner chooses actions for the other. Within a rollout both use the same
parameters. This is faster than lock-step if acting takes long and leaves the cores to the workers: with a GPU.
"""

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import SamplingConfig
from paac_cli.events import Log
from paac_cli.sampling.games import Games
from paac_cli.sampling.history import check_arrays, own_histories
from paac_cli.sampling.layout import allocate
from paac_cli.sampling.limits import raise_open_files_limit
from paac_cli.sampling.partition import num_workers, split_evenly
from paac_cli.sampling.pool import Region, WorkerPool
from paac_cli.sampling.recovery import RestartBudget
from paac_cli.sampling.slots import rollout_views
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

HALVES = (0, 1)


class OverlappedPool:
    """Two `WorkerPool`s, each with a contiguous half of the environments and `sampling.num_workers` processes.

    Both work on one block of shared memory, because the learner needs contiguous rollouts [T+1, N, ...]. The surface is
    that of `WorkerPool`; `send` and `receive` are for one half.
    """

    def __init__(
        self,
        games: Games,
        spec: EnvSpec,
        sampling: SamplingConfig,
        *,
        rollout_length: int,
        log: Log,
        stopping: Callable[[], bool] = lambda: False,
        budget: RestartBudget | None = None,
    ) -> None:
        """Arguments and errors are those of `WorkerPool`. `sampling.num_envs` must be even."""
        workers_per_half = num_workers(sampling, spec)
        self.num_envs, self.num_workers = sampling.num_envs, 2 * workers_per_half
        self.rollout_length = rollout_length
        self._action = spec.action
        raise_open_files_limit(self.num_workers)  # before the fork server starts, which inherits the limit
        self._block = allocate(spec, self.num_envs, self.num_workers, rollout_length, games.info_keys)
        self._rollout = rollout_views(self._block)
        # A half overwrites its final observations while those of its previous step are still needed.
        self._final_obs = np.zeros((self.num_envs, *spec.obs_shape), spec.obs_dtype)
        self._budget = RestartBudget(sampling.max_restarts) if budget is None else budget
        self._latest: TimeStep | None = None
        with contextlib.ExitStack() as pools:
            self._halves = [
                pools.enter_context(
                    WorkerPool(
                        games,
                        spec,
                        sampling,
                        rollout_length=rollout_length,
                        log=log,
                        stopping=stopping,
                        region=Region(self._block, envs, workers),
                        budget=self._budget,
                    )
                )
                for envs, workers in zip(
                    split_evenly(range(self.num_envs), 2), split_evenly(range(self.num_workers), 2), strict=True
                )
            ]
            self._pools = pools.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reset(self) -> TimeStep:
        """Start the first game of every environment."""
        for half in self._halves:
            half.reset()
        return self._merge()

    def step(self, actions: NDArray) -> TimeStep:
        """Play `actions` [N, ...] with both halves at the same time, as `WorkerPool.step`."""
        for half in HALVES:
            self.send(actions[self.latest_of(half).envs], half)
        for half in HALVES:
            self.receive(half)
        return self.latest

    def send(self, actions: NDArray, half: int) -> None:
        """Let half 0 or 1 play `actions` [N/2, ...]. `receive` waits for it."""
        if not any(pool.in_rollout for pool in self._halves):
            for pool in self._halves:
                pool.begin_rollout()
        assert self._halves[half].in_rollout, "complete the rollout with the other half first"
        self._halves[half].send(actions)

    def receive(self, half: int) -> TimeStep:
        """The step of one half. Half 0 must be received first; then `latest` is the step of both."""
        step = self._halves[half].receive()
        truncated = np.flatnonzero(step.truncated)
        if len(truncated):
            self._final_obs[step.envs][truncated] = step.final_obs[truncated]
        if half == HALVES[-1]:
            self._merge()
        return step

    def latest_of(self, half: int) -> TimeStep:
        """The latest step of one half."""
        return self._halves[half].latest

    @property
    def latest(self) -> TimeStep:
        """The latest step that both halves have finished, even if a half has begun the next one."""
        assert self._latest is not None, "call reset or restore first"
        return self._latest

    @property
    def busy(self) -> NDArray[np.float64]:
        """[num_workers] seconds that each worker has spent in steps so far; a copy."""
        return np.concatenate([half.busy for half in self._halves])

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [pid for half in self._halves for pid in half.pids]

    @property
    def restarts(self) -> int:
        """Workers that were restarted so far."""
        return self._budget.restarts

    @property
    def has_diverged(self) -> bool:
        """Whether an environment has diverged on replay."""
        return any(half.has_diverged for half in self._halves)

    def snapshot(self, *, of_last_rollout: bool = False) -> dict[str, NDArray]:
        """As `WorkerPool.snapshot`, of all environments."""
        if of_last_rollout and any(half.in_rollout for half in self._halves):
            parts = [half.snapshot_at_rollout_start() for half in self._halves]
        else:
            parts = [half.snapshot() for half in self._halves]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def restore(self, arrays: dict[str, NDArray]) -> TimeStep:
        """As `WorkerPool.restore`, of all environments."""
        check_arrays(arrays, self.num_envs, self._action)
        for half, envs in zip(self._halves, split_evenly(range(self.num_envs), 2), strict=True):
            half.restore(own_histories(arrays, envs, self.num_envs))
        return self._merge()

    def close(self) -> None:
        """End all workers, whatever their state. May be called twice."""
        self._pools.close()
        self._block.close()

    def _merge(self) -> TimeStep:
        """Build the step of all environments from the latest steps of the halves."""
        steps = [half.latest for half in self._halves]
        slot = steps[0].slot
        assert slot == steps[1].slot, "the halves are at different steps"
        self._latest = TimeStep(
            obs=self._rollout.obs[slot],
            reward=self._block["reward"][slot],
            terminated=self._block["terminated"][slot],
            truncated=self._block["truncated"][slot],
            final_obs=self._final_obs,
            episodes=np.concatenate([step.episodes for step in steps]),
            slot=slot,
            rollout=self._rollout,
            envs=slice(0, self.num_envs),
        )
        return self._latest
