"""Many environments on a few processes, stepped together.

The learner writes actions into shared memory and wakes all workers; each steps its environments one
after another and writes straight into the slot that the learner reads when all have answered.
"""

import contextlib
import hashlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import EnvConfig, RunConfig
from paac_cli.errors import WorkerError
from paac_cli.sampling.history import ActionLog
from paac_cli.sampling.shared_block import SharedBlock
from paac_cli.sampling.shares import available_cores, split_evenly
from paac_cli.sampling.worker import CLOSE, READY, RESTORE, STEP, STOP_SIGNALS, WorkerTask, run_worker
from paac_cli.spec import EnvSpec
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep

_CLOSE_TIMEOUT = 5.0  # seconds that a worker has to end by itself


class WorkerPool:
    """`num_envs` environments on `num_workers` processes. A context manager: it owns its processes.

    Results do not depend on the number of workers: seeds follow the environment's index, and every
    environment has its fixed rows in shared memory.
    """

    def __init__(
        self,
        env_config: EnvConfig,
        spec: EnvSpec,
        *,
        num_envs: int,
        num_workers: int | str = "auto",
        rollout_length: int,
        seed: int,
    ) -> None:
        """Starts the workers and returns while they still load; the first `reset` waits for them.

        rollout_length: steps (T) that stay readable together; the pool holds T+1 observations.
        """
        self.num_envs = num_envs
        self.num_workers = min(available_cores(), num_envs) if num_workers == "auto" else int(num_workers)
        self._block = _allocate(spec, num_envs, rollout_length)
        self._rollout = Rollout(
            self._block["obs"], *(self._block[name][1:] for name in ("reward", "terminated", "truncated"))
        )
        self._rollout_length = rollout_length
        self._slot = 0
        self._action = spec.action
        self._log = ActionLog(num_envs, self._action)
        self._shares = split_evenly(num_envs, self.num_workers)
        self._workers = _start_workers(env_config, seed, self._shares, self._block)
        self._awaiting_start = True

    @classmethod
    def of(cls, config: RunConfig, spec: EnvSpec) -> Self:
        """The pool that a run's config asks for."""
        return cls(
            config.env,
            spec,
            num_envs=config.sampling.num_envs,
            num_workers=config.sampling.num_workers,
            rollout_length=config.algorithm.rollout_length,
            seed=config.seed,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reset(self) -> TimeStep:
        """Every environment at the start of its first game."""
        return self._replay(ActionLog(self.num_envs, self._action))

    def step(self, actions: NDArray, active: NDArray[np.bool_] | None = None) -> TimeStep:
        """Play `actions` [N, ...]. Returns views, copies nothing.

        active: [N], which environments play; the others rest, and nothing of them changes. None: all.

        Raises WorkerError with the worker's traceback if one has failed.
        """
        assert not self._awaiting_start, "reset or restore comes first"
        self._block["actions"][:] = actions
        self._block["active"][:] = True if active is None else active
        for worker in self._workers:
            worker.send(STEP)
        for worker in self._workers:
            worker.await_ready()
        self._slot = self._slot % self._rollout_length + 1
        step = self._timestep()
        self._log.append(self._block["actions"], self._block["active"], step.episodes["env"])
        return step

    @property
    def busy(self) -> NDArray[np.float64]:
        """[num_workers] seconds that each worker has spent in steps so far; a copy."""
        return self._block["busy"][[envs.start for envs in self._shares]]

    def snapshot(self) -> dict[str, NDArray]:
        """All that `restore` needs to bring every environment back to this very state: the actions of its
        current game, and a digest of what it sees, by which it is known again.
        """
        return self._log.to_arrays() | {"seen": self._digests()}

    def restore(self, snapshot: dict[str, NDArray], warn: Callable[[str], None]) -> TimeStep:
        """Bring every environment back to where it was, by playing its current game again.

        `warn` hears of environments that then see something else: they do not replay.
        """
        assert len(snapshot["episode"]) == self.num_envs, "the snapshot is of another number of environments"
        step = self._replay(ActionLog.from_arrays(snapshot, self._action))
        strayed = np.flatnonzero(self._digests() != snapshot["seen"])
        if len(strayed):
            warn(
                f"environments {strayed.tolist()} did not replay to what they saw before: this run is only "
                "approximately the one that was stopped (a generator of their own, or another version of them?)"
            )
        return step

    def close(self) -> None:
        """End all workers, whatever state they are in. May be called twice."""
        for worker in self._workers:
            worker.ask_to_end()
        for worker in self._workers:
            worker.join()
        if self._workers:
            self._block.close()
        self._workers = []

    def _digests(self) -> NDArray[np.uint64]:
        """[N] of the present observations."""
        rows = (hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in self._block["obs"][self._slot])
        return np.frombuffer(b"".join(rows), np.uint64)

    def _replay(self, log: ActionLog) -> TimeStep:
        self._log = log
        if self._awaiting_start:
            for worker in self._workers:
                worker.await_ready()
            self._awaiting_start = False
        for worker, envs in zip(self._workers, self._shares, strict=True):
            worker.send(RESTORE, {n: log[n] for n in envs})
        for worker in self._workers:
            worker.await_ready()
        self._slot = 0
        return self._timestep()

    def _timestep(self) -> TimeStep:
        block, slot = self._block, self._slot
        return TimeStep(
            obs=block["obs"][slot],
            reward=block["reward"][slot],
            terminated=block["terminated"][slot],
            truncated=block["truncated"][slot],
            final_obs=block["final_obs"],
            episodes=block["episodes"][block["ended"]],
            slot=slot,
            rollout=self._rollout,
        )


class _Worker:
    """The learner's end of one worker process."""

    def __init__(self, process: ForkServerProcess, connection: Connection) -> None:
        self._process = process
        self._connection = connection

    def send(self, command: bytes, argument: object = None) -> None:
        try:
            self._connection.send_bytes(command)
            if argument is not None:
                self._connection.send(argument)
        except OSError:
            self.await_ready()  # it is gone; its last words may still be in the pipe

    def await_ready(self) -> None:
        """Raises WorkerError if the worker has failed instead."""
        try:
            answer = self._connection.recv_bytes()
        except (EOFError, OSError):
            self._process.join(_CLOSE_TIMEOUT)
            raise WorkerError(f"{self._process.name} died without a word: {self._last_sign()}") from None
        if answer != READY:
            raise WorkerError(f"{self._process.name} failed:\n{answer[1:].decode()}")

    def ask_to_end(self) -> None:
        with contextlib.suppress(OSError):  # it may be gone already
            self._connection.send_bytes(CLOSE)

    def join(self) -> None:
        self._process.join(_CLOSE_TIMEOUT)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()

    def _last_sign(self) -> str:
        code = self._process.exitcode
        return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"


def _start_workers(env_config: EnvConfig, seed: int, shares: list[range], block: SharedBlock) -> list[_Worker]:
    context = multiprocessing.get_context("forkserver")
    environment = "atari" if env_config.is_atari else "gym"
    context.set_forkserver_preload(["paac_cli.sampling.worker", f"paac_cli.envs.{environment}"])
    workers = []
    with stop_signals_blocked():
        for index, envs in enumerate(shares):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=run_worker,
                args=(theirs, WorkerTask(env_config, seed, envs, block)),
                name=f"worker {index} (environments {envs.start}-{envs.stop - 1})",
                daemon=True,
            )
            process.start()
            theirs.close()
            workers.append(_Worker(process, ours))
    return workers


@contextlib.contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Children inherit it: Ctrl-C and a SIGTERM to the whole group reach the learner, which decides, and
    find no half-started worker that would die with a traceback. Ours are only put off.
    """
    resource_tracker.ensure_running()  # when it starts, it unblocks them itself
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _allocate(spec: EnvSpec, num_envs: int, rollout_length: int) -> SharedBlock:
    slots = rollout_length + 1
    return SharedBlock(
        {
            "obs": ((slots, num_envs, *spec.obs_shape), spec.obs_dtype),
            "reward": ((slots, num_envs), np.float32),
            "terminated": ((slots, num_envs), np.bool_),
            "truncated": ((slots, num_envs), np.bool_),
            "final_obs": ((num_envs, *spec.obs_shape), spec.obs_dtype),
            "actions": ((num_envs, *spec.action.shape), spec.action.dtype),
            "active": ((num_envs,), np.bool_),
            "episodes": ((num_envs,), EPISODE_DTYPE),
            "ended": ((num_envs,), np.bool_),
            "busy": ((num_envs,), np.float64),  # of each worker, at the first of its environments
        }
    )
