"""Many environments on a few processes, stepped together.

The learner writes actions into shared memory and wakes all workers; each steps its environments one
after another and writes straight into the slot that the learner reads when all have answered.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import EnvConfig, RunConfig, SamplingConfig
from paac_cli.errors import CheckpointError
from paac_cli.machine import core_for_each
from paac_cli.sampling.history import UNKNOWN, ActionLog, digest
from paac_cli.sampling.layout import ENDED, allocate
from paac_cli.sampling.partition import num_workers, split_evenly
from paac_cli.sampling.recovery import Workers
from paac_cli.sampling.worker import RESTORE, STEP, WorkerState, WorkerTask
from paac_cli.sampling.worker_process import Patience
from paac_cli.seeding import episode_seed, integer_seed
from paac_cli.spec import EnvSpec
from paac_cli.timestep import Rollout, TimeStep

Tell = Callable[[str], None]
DOUBT = "Approximate: "  #: how what is told begins that says why a run may not be exact


class WorkerPool:
    """`num_envs` environments on `num_workers` processes. A context manager: it owns its processes.

    Results do not depend on the number of workers: seeds follow the environment's index, and every
    environment has its fixed rows in shared memory. Nor do they depend on what becomes of a worker.

    With `overlap` the environments are two halves, of which one may play while the learner acts for the
    other: `send` and `receive` speak to one half, `step` to all.
    """

    def __init__(
        self,
        env_config: EnvConfig,
        spec: EnvSpec,
        sampling: SamplingConfig,
        *,
        rollout_length: int,
        seed: int,
        tell: Tell,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Starts the workers and returns while they still load; the first `reset` waits for them.

        rollout_length: steps (T) that stay readable together; the pool holds T+1 observations.
        tell: hears of workers that were lost and replaced, and of environments that do not replay.
        stopping: whether the run shall stop; then what a worker does not answer soon is a StoppedError.
        """
        self.num_envs = num_envs = sampling.num_envs
        self.num_workers = num_workers(sampling)
        self._block = allocate(spec, num_envs, self.num_workers, rollout_length)
        self._rollout = Rollout(
            self._block["obs"], *(self._block[name][1:] for name in ("reward", "terminated", "truncated"))
        )
        self._action, self._seed, self._tell = spec.action, seed, tell
        self._log = ActionLog(num_envs, self._action)
        self.has_strayed = False  #: whether an environment was found that does not replay
        self._known: NDArray | None = None  # [N] digests of what a restore has to come back to
        self.rollout_length = rollout_length
        self.num_parts = 2 if sampling.overlap else 1
        self._parts = split_evenly(range(num_envs), self.num_parts)
        self._playing: list[int] = []  # parts that have been sent and not received, in their order
        self._begin_rollout(first_slot=0)
        shares = zip(*(split_evenly(part, self.num_workers) for part in self._parts), strict=True)
        self._workers = Workers(
            [
                WorkerTask(index, share, env_config, seed, self._block, core)
                for index, (share, core) in enumerate(zip(shares, core_for_each(self.num_workers), strict=True))
            ],
            self,
            patience=Patience(sampling.worker_timeout, stopping),
            max_restarts=sampling.max_restarts,
            tell=tell,
        )
        self._awaiting_start = True

    @classmethod
    def of(cls, config: RunConfig, spec: EnvSpec, tell: Tell, stopping: Callable[[], bool] = lambda: False) -> Self:
        """The pool that a run's config asks for."""
        length = config.algorithm.rollout_length
        return cls(
            config.env, spec, config.sampling, rollout_length=length, seed=config.seed, tell=tell, stopping=stopping
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reset(self) -> TimeStep:
        """Every environment at the start of its first game."""
        return self._replay(ActionLog(self.num_envs, self._action), np.full(self.num_envs, UNKNOWN, np.uint64))

    def step(self, actions: NDArray, active: NDArray[np.bool_] | None = None) -> TimeStep:
        """Play `actions` [N, ...]. Returns views; what they hold is copied nowhere.

        active: [N], which environments play; the others rest, and nothing of them changes. None: all.

        Raises WorkerError with the traceback if an environment has raised, or if too many workers were lost.
        """
        for part, envs in enumerate(self._parts):
            rows = slice(envs.start, envs.stop)
            self.send(actions[rows], part, None if active is None else active[rows])
        for part in range(self.num_parts):
            self._receive(part)
        return self.latest()

    def send(self, actions: NDArray, part: int, active: NDArray[np.bool_] | None = None) -> None:
        """Let one part of the environments play `actions`; rows are those of the part. `receive` waits for it."""
        assert not self._awaiting_start, "reset or restore comes first"
        assert part not in self._playing, "what was sent before has not been received"
        if not self._in_rollout:
            self._begin_rollout(first_slot=self._slot(0))
        self._playing.append(part)
        envs = self._parts[part]
        self._block["actions"][envs.start : envs.stop] = actions
        self._block["active"][envs.start : envs.stop] = True if active is None else active
        self._workers.post(STEP[part])

    def receive(self, part: int) -> TimeStep:
        """What the actions sent to a part led to, of its environments alone. Parts come in the order they were sent."""
        self._receive(part)
        return self.latest(part)

    def latest(self, part: int | None = None) -> TimeStep:
        """The last step that was received, of one part or of all environments. All parts of it must have come."""
        envs = range(self.num_envs) if part is None else self._parts[part]
        block, slot, rows = self._block, self._slot(part or 0), slice(envs.start, envs.stop)
        return TimeStep(
            obs=block["obs"][slot, rows],
            reward=block["reward"][slot, rows],
            terminated=block["terminated"][slot, rows],
            truncated=block["truncated"][slot, rows],
            final_obs=block["final_obs"][slot % 2, rows],
            episodes=block["episodes"][slot % 2, rows][block["ended"][slot % 2, rows] == ENDED],
            slot=slot,
            rollout=self._rollout,
            envs=rows,
        )

    @property
    def busy(self) -> NDArray[np.float64]:
        """[num_workers] seconds that each worker has spent in steps so far; a copy."""
        return self._block["busy"].copy()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return self._workers.pids

    @property
    def restarts(self) -> int:
        """Workers that were lost and replaced so far."""
        return self._workers.restarts

    def snapshot(self, *, of_last_rollout: bool = False) -> dict[str, NDArray]:
        """All that `restore` needs to bring every environment back to this very state: the actions of its
        current game; and what it was paid for them and a digest of what it sees, by which it is known again.

        of_last_rollout: as it was when the last whole rollout ended, also after a step that has failed.
        """
        taken_back = of_last_rollout and self._in_rollout
        assert taken_back or not self._playing, "a part is still playing"
        log, seen = self._log.at_mark() if taken_back else self._log, []
        for part, envs in enumerate(self._parts):
            slot = self._slot_at_mark(part) if taken_back else self._slot(part)
            seen += [UNKNOWN if slot is None else digest(self._block["obs"][slot, n]) for n in envs]
        return log.to_arrays() | {"seen": np.array(seen, np.uint64)}

    def restore(self, snapshot: dict[str, NDArray]) -> TimeStep:
        """Bring every environment back to where it was, by playing its current game again.

        Where one does not replay, that game is cut off at its next step, and somebody is told. Raises CheckpointError
        if it is of other environments.
        """
        seen, actions = snapshot.get("seen", np.empty(0)), snapshot["actions"]
        paid = snapshot.get("paid", np.zeros(self.num_envs))
        found = seen.shape, seen.dtype, paid.shape, paid.dtype, actions.shape[1:], actions.dtype
        rows = (self.num_envs,)
        if found != (rows, np.dtype(np.uint64), rows, np.dtype(float), self._action.shape, self._action.dtype):
            raise CheckpointError("the histories in this checkpoint are not of these environments")
        return self._replay(ActionLog.from_arrays(snapshot, self._action), seen)

    def close(self) -> None:
        """End all workers, whatever state they are in. May be called twice."""
        self._workers.close()
        self._block.close()

    def state_of(self, task: WorkerTask) -> WorkerState:
        """Where the environments of a worker stand; what it is told when it is started anew."""
        slots = tuple(self._slot(part) for part in range(self.num_parts))
        histories = {
            n: self._log[n]._replace(seen=self._seen(n, slot))
            for envs, slot in zip(task.envs, slots, strict=True)
            for n in envs
        }
        return WorkerState(slots, histories)

    def describe(self, env: int, game: int) -> str:
        """What environment `env` is doing in its how-manyth `game`, for people."""
        history = self._log[env]
        step = len(history.actions) + 1 if history.episode == game else 0
        reached = f"step {step} (action {self._block['actions'][env].tolist()})" if step else "the start"
        seed = integer_seed(episode_seed(self._seed, env, game))
        return f"{reached} of game {game} (seed {seed}) of environment {env}"

    @property
    def _in_rollout(self) -> bool:
        """Whether one has begun and is not whole yet."""
        return bool(self._playing) or (any(self._steps) and min(self._steps) < self.rollout_length)

    def _slot(self, part: int) -> int:
        return self._steps[part] or self._first_slot

    def _begin_rollout(self, first_slot: int) -> None:
        self._first_slot = first_slot  # slot `T` of a rollout is slot 0 of the next
        self._steps = [0] * self.num_parts  # of this rollout, that have been received
        self._log.mark()

    def _receive(self, part: int) -> None:
        assert self._playing[:1] == [part], "parts come in the order they were sent"
        self._workers.await_all()
        del self._playing[0]
        self._steps[part] += 1
        envs, block = self._parts[part], self._block
        rows = slice(envs.start, envs.stop)
        slot = self._slot(part)
        self._log.append(
            envs,
            block["actions"][rows],
            block["active"][rows],
            block["reward"][slot, rows],
            block["ended"][slot % 2, rows],
        )
        self._tell_of_strayed()

    def _seen(self, n: int, slot: int) -> tuple[int, ...]:
        """Digests of what environment `n` has to see in `slot`."""
        if self._known is not None:
            return () if self._known[n] == UNKNOWN else (int(self._known[n]),)
        # Of a rollout of one step a lost worker may have begun to overwrite the one or the other.
        slots = (slot,) if self.rollout_length > 1 else (0, 1)
        return tuple(digest(self._block["obs"][place, n]) for place in slots)

    def _slot_at_mark(self, part: int) -> int | None:
        """Where that lies by now which a part saw when this rollout began; None where it may be overwritten."""
        if self._steps[part]:
            return 0
        return self._first_slot if self.rollout_length > 1 else None

    def _replay(self, log: ActionLog, known: NDArray) -> TimeStep:
        assert not self._playing, "a part is still playing"
        self._log, self._known = log, known
        self._begin_rollout(first_slot=0)
        if self._awaiting_start:
            self._workers.await_all()
            self._awaiting_start = False
        for name in ("reward", "terminated", "truncated", "ended"):
            self._block[name][0] = 0
        self._workers.post(RESTORE)
        self._workers.await_all()
        self._known = None
        self._tell_of_strayed()
        return self.latest()

    def _tell_of_strayed(self) -> None:
        strayed = self._block["strayed"]
        if strayed.any():
            self.has_strayed = True
            self._tell(
                f"{DOUBT}environments {np.flatnonzero(strayed).tolist()} did not replay to what they saw before "
                "(a generator of their own, or another version of them?); their games are cut off here"
            )
            strayed[:] = False
