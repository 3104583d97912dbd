"""Steps many environments on a few worker processes, in lock-step with the learner.

The learner writes actions into shared memory and sends one byte to each worker. Each worker steps its environments one
after another and writes the results into the slot that the learner reads when all workers have answered.
"""

from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import SamplingConfig
from paac_cli.errors import AlgorithmError
from paac_cli.events import Log, LongGame, ReplayDiverged
from paac_cli.machine import available_cores, core_for_each, has_cpu_quota
from paac_cli.sampling.games import Games
from paac_cli.sampling.history import Histories
from paac_cli.sampling.layout import allocate
from paac_cli.sampling.partition import num_workers, split_evenly
from paac_cli.sampling.recovery import RestartBudget
from paac_cli.sampling.shared_block import SharedBlock
from paac_cli.sampling.slots import Slots, StepViews
from paac_cli.sampling.worker import RESTORE, STEP
from paac_cli.sampling.worker_envs import WorkerTask
from paac_cli.sampling.worker_process import Timeouts
from paac_cli.sampling.workers import Workers
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

SPIN = 0.0005  #: seconds for which learner and workers wait actively, if each process can have a core
LONG_GAME = 1_000_000  #: steps of a game that is warned of


class Region(NamedTuple):
    """Where in shared memory a pool works."""

    block: SharedBlock
    envs: range  #: its environments: rows of the arrays of environments
    workers: range  #: its workers: rows of the arrays of workers


class WorkerPool:
    """`num_envs` environments on `num_workers` processes. A context manager: it owns the processes.

    Results do not depend on the number of workers, nor on restarts of workers: seeds follow from the index of an
    environment, and every environment has its own rows in shared memory.
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
        region: Region | None = None,
        budget: RestartBudget | None = None,
    ) -> None:
        """Start the workers and return while they load; the first `reset` or `restore` waits for them.

        rollout_length: steps (T) that can be read together; the pool holds T+1 observations.
        log: receives WorkerRestarted, RestartFailed, ReplayDiverged, LongGame and CloseFailed.
        stopping: whether the run was asked to stop. Then a worker that does not answer soon raises StoppedError.
        region: for several pools on one block of memory. budget: for several pools with one count of restarts.

        Raises ConfigError if memory or open files do not suffice, WorkerError if workers cannot be started.
        """
        if region is None:
            workers = num_workers(sampling, spec)
            block = allocate(spec, sampling.num_envs, workers, rollout_length, games.info_keys)
            region = Region(block, range(sampling.num_envs), range(workers))
        self.num_envs, self.num_workers = len(region.envs), len(region.workers)
        self.rollout_length, self.max_steps, self.action = rollout_length, games.max_steps, spec.action
        self.has_diverged = False  #: whether an environment has diverged on replay
        self._region, self._log = region, log
        self._budget = RestartBudget(sampling.max_restarts) if budget is None else budget
        rows = slice(region.envs.start, region.envs.stop)
        self._rows, self._diverged = rows, region.block["diverged"][rows]
        self._actions, self._active = region.block["actions"][rows], region.block["active"][rows]
        self._views = StepViews(region.block, region.envs)
        self._slots = Slots(rollout_length)
        self._histories = Histories(
            region.block, region.envs, self._slots, spec.action, games.seed, games.first.env_index
        )
        spin = SPIN if len(region.block["busy"]) < available_cores() and not has_cpu_quota() else 0.0
        parts, cores = split_evenly(region.envs, self.num_workers), core_for_each(self.num_workers)
        tasks = [
            WorkerTask(worker, envs, games, region.block, core, sampling.close_timeout, spin)
            for worker, envs, core in zip(region.workers, parts, cores, strict=True)
        ]
        timeouts = Timeouts(sampling.worker_timeout, stopping, sampling.close_timeout)
        try:
            self._workers = Workers(tasks, self._histories, timeouts=timeouts, budget=self._budget, log=log, spin=spin)
        except BaseException:
            region.block.close()
            raise
        self._is_loading, self._is_stepping, self._has_warned = True, False, False
        self._latest: TimeStep | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reset(self, first_seed: int | None = None) -> TimeStep:
        """Start the first game of every environment. Raises as `step` does.

        first_seed: environment n plays the games that environment `first_seed + n` of a larger pool would play. None:
            `Games.first.env_index`.
        """
        self._histories.reset(first_seed)
        return self._restore_workers()

    def step(self, actions: NDArray, active: NDArray[np.bool_] | None = None) -> TimeStep:
        """Play `actions` [N, ...]. Returns views of shared memory, not copies.

        active: [N], which environments play; the others do nothing and keep their state. None: all play.

        Raises WorkerError with the traceback if an environment raised, or if too many workers failed; StoppedError if
        the run was asked to stop and a worker does not answer.
        """
        self.send(actions, active)
        return self.receive()

    def send(self, actions: NDArray, active: NDArray[np.bool_] | None = None) -> None:
        """Start a step: send `actions` [N, ...] to the workers and return while they play.

        Raises AlgorithmError if their shape or the kind of their dtype is another one, such as float for integers.
        """
        assert self._latest is not None, "call reset or restore first"
        assert not self._is_stepping, "call receive first"
        actions = self._checked(np.asarray(actions))
        if not self._slots.in_rollout:
            self.begin_rollout()
        self._is_stepping = True
        self._actions[...] = actions
        self._active[...] = True if active is None else active
        self._workers.post(STEP)

    def receive(self) -> TimeStep:
        """Finish a step: wait for the workers."""
        assert self._is_stepping, "call send first"
        self._workers.await_all()
        self._is_stepping = False
        self._slots.advance()
        self._histories.record_step()
        return self._finish()

    @property
    def latest(self) -> TimeStep:
        """What `step`, `reset` or `restore` returned last."""
        assert self._latest is not None, "call reset or restore first"
        return self._latest

    @property
    def busy(self) -> NDArray[np.float64]:
        """[num_workers] seconds that each worker has spent in steps so far; a copy."""
        workers = self._region.workers
        return self._region.block["busy"][workers.start : workers.stop].copy()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return self._workers.pids

    @property
    def restarts(self) -> int:
        """Workers that were restarted so far."""
        return self._budget.restarts

    @property
    def in_rollout(self) -> bool:
        """Whether a rollout has begun and is incomplete."""
        return self._slots.in_rollout

    def begin_rollout(self) -> None:
        """Begin a rollout with the next step. `send` does it when the previous rollout is complete."""
        self._slots.begin_rollout()
        self._histories.mark()
        self._warn_of_long_game()

    def snapshot(self, *, of_last_rollout: bool = False) -> dict[str, NDArray]:
        """All that `restore` needs to bring every environment back to its present state.

        `episode` [N] int64: index of the current game. `length` [N] int64 and `actions` [sum of lengths, ...]: the
        actions of that game. `reward_sum` [N] float64: of their rewards. `obs_digest` [N] uint64: of the observation.

        of_last_rollout: the state at the end of the last complete rollout. It is also available after a step failed.
        """
        if of_last_rollout and self.in_rollout:
            return self.snapshot_at_rollout_start()
        assert not self._is_stepping, "call receive first"
        return self._histories.to_arrays()

    def snapshot_at_rollout_start(self) -> dict[str, NDArray]:
        """As `snapshot`, of the state in which the latest rollout began."""
        return self._histories.to_arrays(at_mark=True)

    def restore(self, arrays: dict[str, NDArray]) -> TimeStep:
        """Bring every environment to the state of a `snapshot`, by replaying its current game.

        If a replay diverges, that game is truncated at its next step and ReplayDiverged is logged. Raises
        CheckpointError if the snapshot was made with other environments, and as `step` does.
        """
        self._histories.load(arrays)
        return self._restore_workers()

    def close(self) -> None:
        """End all workers, whatever their state. May be called twice."""
        self._workers.close()
        self._region.block.close()

    def _checked(self, actions: NDArray) -> NDArray:
        shape, dtype = self._actions.shape, self._actions.dtype
        if actions.shape != shape or not np.can_cast(actions.dtype, dtype, "same_kind"):
            raise AlgorithmError(
                f"the algorithm returned actions of shape {actions.shape} and dtype {actions.dtype}; expected shape "
                f"{shape} and dtype {dtype}"
            )
        return actions

    def _warn_of_long_game(self) -> None:
        env, steps = self._histories.longest_at_mark()
        if steps >= LONG_GAME and not self._has_warned:
            self._has_warned = True
            self._log(LongGame(env, steps))

    def _restore_workers(self) -> TimeStep:
        """Let the workers bring their environments to the end of their histories; the result is in slot 0."""
        assert not self._is_stepping, "call receive first"
        self._slots.reset()
        if self._is_loading:
            self._workers.await_all()
            self._is_loading = False
        block = self._region.block
        for name in ("reward", "terminated", "truncated"):
            block[name][0, self._rows] = 0
        block["ended"][self._rows] = 0
        self._workers.post(RESTORE)
        self._workers.await_all()
        self._histories.finish_restore()
        return self._finish()

    def _finish(self) -> TimeStep:
        """All workers have answered: log divergences and build the time step."""
        if self._diverged.any():
            self.has_diverged = True
            envs = np.flatnonzero(self._diverged) + self._region.envs.start
            self._log(ReplayDiverged(tuple(map(self._histories.index_of, envs.tolist()))))
            self._diverged[:] = False
        self._latest = self._views.time_step(self._slots.current)
        return self._latest
