"""Many environments on a few processes, stepped together.

The learner writes actions into shared memory and wakes all workers; each steps its environments one
after another and writes straight into the slot that the learner reads when all have answered.
"""

import hashlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import EnvConfig, RunConfig
from paac_cli.sampling.history import ActionLog
from paac_cli.sampling.processes import start_workers
from paac_cli.sampling.shared_block import SharedBlock
from paac_cli.sampling.shares import available_cores, split_evenly
from paac_cli.sampling.worker import RESTORE, STEP, WorkerTask
from paac_cli.spec import EnvSpec
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep


class WorkerPool:
    """`num_envs` environments on `num_workers` processes. A context manager: it owns its processes.

    Results do not depend on the number of workers: seeds follow the environment's index, and every
    environment has its fixed rows in shared memory.

    With `overlap` the environments are two halves, of which one may play while the learner acts for the
    other: `send` and `receive` speak to one half, `step` to all.
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
        overlap: bool = False,
    ) -> None:
        """Starts the workers and returns while they still load; the first `reset` waits for them.

        rollout_length: steps (T) that stay readable together; the pool holds T+1 observations.
        """
        self.num_envs = num_envs
        most = num_envs // 2 if overlap else num_envs
        self.num_workers = min(available_cores(), most) if num_workers == "auto" else int(num_workers)
        self._block = _allocate(spec, num_envs, self.num_workers, rollout_length)
        self._rollout = Rollout(
            self._block["obs"], *(self._block[name][1:] for name in ("reward", "terminated", "truncated"))
        )
        self.rollout_length = rollout_length
        self._slot = 0
        self._action = spec.action
        self._log = ActionLog(num_envs, self._action)
        self.num_parts = 2 if overlap else 1
        self._parts = split_evenly(range(num_envs), self.num_parts)
        shares = zip(*(split_evenly(part, self.num_workers) for part in self._parts), strict=True)
        tasks = [WorkerTask(index, share, env_config, seed, self._block) for index, share in enumerate(shares)]
        self._shares = [task.envs for task in tasks]
        self._workers = start_workers(tasks)
        self._awaiting_start = True
        self._playing: list[int] = []  # parts that have been sent and not received, in their order

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
            overlap=config.sampling.overlap,
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
        for part, envs in enumerate(self._parts):
            rows = slice(envs.start, envs.stop)
            self.send(actions[rows], part, None if active is None else active[rows])
        for part in range(self.num_parts):
            self.receive(part)
        return self.latest()

    def send(self, actions: NDArray, part: int, active: NDArray[np.bool_] | None = None) -> None:
        """Let one part of the environments play `actions`; rows are those of the part. `receive` waits for it."""
        assert not self._awaiting_start, "reset or restore comes first"
        assert part not in self._playing, "what was sent before has not been received"
        self._playing.append(part)
        envs = self._parts[part]
        self._block["actions"][envs.start : envs.stop] = actions
        self._block["active"][envs.start : envs.stop] = True if active is None else active
        for worker in self._workers:
            worker.send(STEP[part])

    def receive(self, part: int) -> TimeStep:
        """What the actions sent to a part led to, of its environments alone. Parts come in the order they were sent."""
        assert self._playing[:1] == [part], "parts come in the order they were sent"
        for worker in self._workers:
            worker.await_ready()
        del self._playing[0]
        if part == 0:
            self._slot = self._slot % self.rollout_length + 1
        step = self.latest(part)
        actions, active = self._block["actions"], self._block["active"]
        self._log.append(self._parts[part], actions, active, step.episodes["env"])
        return step

    def latest(self, part: int | None = None) -> TimeStep:
        """The last step that was received, of one part or of all environments. All parts of it must have come."""
        return self._timestep(range(self.num_envs) if part is None else self._parts[part])

    @property
    def busy(self) -> NDArray[np.float64]:
        """[num_workers] seconds that each worker has spent in steps so far; a copy."""
        return self._block["busy"].copy()

    def snapshot(self) -> dict[str, NDArray]:
        """All that `restore` needs to bring every environment back to this very state: the actions of its
        current game, and a digest of what it sees, by which it is known again.
        """
        assert not self._playing, "a part is still playing"
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
        assert not self._playing, "a part is still playing"
        self._log = log
        if self._awaiting_start:
            for worker in self._workers:
                worker.await_ready()
            self._awaiting_start = False
        for worker, share in zip(self._workers, self._shares, strict=True):
            worker.send(RESTORE, {n: log[n] for envs in share for n in envs})
        for worker in self._workers:
            worker.await_ready()
        self._slot = 0
        return self.latest()

    def _timestep(self, envs: range) -> TimeStep:
        block, slot, rows = self._block, self._slot, slice(envs.start, envs.stop)
        return TimeStep(
            obs=block["obs"][slot, rows],
            reward=block["reward"][slot, rows],
            terminated=block["terminated"][slot, rows],
            truncated=block["truncated"][slot, rows],
            final_obs=block["final_obs"][slot % 2, rows],
            episodes=block["episodes"][slot % 2, rows][block["ended"][slot % 2, rows]],
            slot=slot,
            rollout=self._rollout,
            envs=rows,
        )


def _allocate(spec: EnvSpec, num_envs: int, num_workers: int, rollout_length: int) -> SharedBlock:
    slots = rollout_length + 1
    return SharedBlock(
        {
            "obs": ((slots, num_envs, *spec.obs_shape), spec.obs_dtype),
            "reward": ((slots, num_envs), np.float32),
            "terminated": ((slots, num_envs), np.bool_),
            "truncated": ((slots, num_envs), np.bool_),
            # Two of each: one part may be a step ahead of what is looked at.
            "final_obs": ((2, num_envs, *spec.obs_shape), spec.obs_dtype),
            "episodes": ((2, num_envs), EPISODE_DTYPE),
            "ended": ((2, num_envs), np.bool_),
            "busy": ((num_workers,), np.float64),
            "actions": ((num_envs, *spec.action.shape), spec.action.dtype),
            "active": ((num_envs,), np.bool_),
        }
    )
