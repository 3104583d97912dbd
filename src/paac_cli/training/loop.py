"""The synchronous loop: act, step, learn; and now and then a row of metrics and a checkpoint."""

import time
from collections.abc import Mapping, Sequence

from paac_cli.algorithms.agent import Agent
from paac_cli.config.schema import RunConfig
from paac_cli.errors import PaacError, StoppedError, WorkerError
from paac_cli.runs.checkpoint import Checkpoint
from paac_cli.runs.exactness import APPROXIMATE, compared, doubted
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.runs.sinks import Sink
from paac_cli.sampling.pool import DOUBT, Tell, WorkerPool
from paac_cli.sampling.rollout import Stopwatch, rollout
from paac_cli.training.bad_batch import check_metrics, check_weights
from paac_cli.training.device import surroundings
from paac_cli.training.progress import Progress
from paac_cli.training.stop import StopRequest


class Due:
    """Tells when the next multiple of `every` steps has been passed."""

    def __init__(self, every: int, steps: int) -> None:
        self._every = every
        self._last = steps // every

    def __call__(self, steps: int) -> bool:
        before, self._last = self._last, steps // self._every
        return self._last > before


def train(
    config: RunConfig,
    agent: Agent,
    pool: WorkerPool,
    run: RunDirectory,
    resume_from: Checkpoint | None,
    progress: Progress,
    sinks: Sequence[Sink],
    tell: Tell,
    stop: StopRequest,
) -> None:
    """Train until `total_steps`, `stop_when` or `stop`; leaves a checkpoint of where it ended.

    Everything that is looked at or saved, is so at the end of a rollout, where the agent holds no
    half-used experience; also where an environment fails or a worker hangs in the midst of the next one.
    `progress` stands where `resume_from` does, and is moved on. tell: hears of what is worth saying.

    Raises WorkerError, after a checkpoint; and LearningError, without one.
    """
    sitting = _Sitting(config, agent, pool, run, progress, sinks, tell, resume_from.versions if resume_from else {})
    failure: WorkerError | None = None
    try:
        sitting.begin(resume_from)
        while not (stop or sitting.is_over):
            sitting.play_rollout(stop)
            sitting.log_and_save_where_due()
    except StoppedError:
        pass  # a worker hangs, or a rollout takes long, and is not waited for
    except WorkerError as error:
        failure = error
    if stop:
        saving = "a checkpoint is saved. Ctrl-C again leaves at once, without it"
        tell(f"Stopping: {saving if sitting.has_unsaved else 'there is nothing to save'}")
    try:
        sitting.end()
    except PaacError as error:
        if failure is None:
            raise
        raise WorkerError(f"{failure}\nNor can the run be saved: {error}") from failure
    if failure is not None:
        saved = f"\nThe run is saved at step {progress.steps:,}, before this rollout" if progress.steps else ""
        raise WorkerError(f"{failure}{saved}") from failure


class _Sitting:
    """One sitting of a run, rollout by rollout."""

    def __init__(
        self,
        config: RunConfig,
        agent: Agent,
        pool: WorkerPool,
        run: RunDirectory,
        progress: Progress,
        sinks: Sequence[Sink],
        tell: Tell,
        versions: Mapping[str, str],
    ) -> None:
        """versions: those that the checkpoint names from which it goes on."""
        self._config, self._agent, self._pool, self._run = config, agent, pool, run
        self._progress, self._sinks, self._tell = progress, sinks, tell
        here = surroundings(deterministic=config.training.deterministic)
        self._versions = compared(here, versions, resumes_exactly=config.algorithm.resumes_exactly)
        self._log_due = Due(config.training.log_every, progress.steps)
        self._save_due = Due(config.training.checkpoint_every, progress.steps)
        self._logged_at = self._saved_at = progress.steps
        self._watch = Stopwatch()
        self._start = 0.0

    @property
    def is_over(self) -> bool:
        return self._progress.steps >= self._config.training.total_steps or self._progress.is_good_enough

    @property
    def has_unsaved(self) -> bool:
        """Whether steps have been played that no checkpoint has."""
        return self._progress.steps > self._saved_at

    def begin(self, resume_from: Checkpoint | None) -> None:
        """Bring agent and environments to where the checkpoint was, or to the start.

        Raises StoppedError or WorkerError.
        """
        if APPROXIMATE in self._versions:
            self._tell(f"{DOUBT}{self._versions[APPROXIMATE]}")
        if resume_from is None:
            self._pool.reset()
        else:
            self._agent.policy.assign(resume_from.policy)
            self._agent.learner.assign(resume_from.learner)
            self._pool.restore(resume_from.sampling)
            resume_from.learner.clear()  # it maps a file, which may be large and which later saves delete
        self._watch = Stopwatch()
        self._start = time.perf_counter() - self._progress.seconds

    def play_rollout(self, stop: StopRequest) -> None:
        """Play and learn from one rollout; given up where `stop` becomes urgent.

        Raises WorkerError or StoppedError, and then `progress` is as before; or LearningError.
        """
        progress, watch, played, updates = self._progress, self._watch, [], []
        watch.skip()
        for step in rollout(self._agent, self._pool, self._config.algorithm.rollout_length, watch):
            if stop.is_urgent:
                raise StoppedError("the rollout was not waited for when the run was to stop")
            learned = self._agent.learn(step)
            played.append(step)
            if learned is not None:
                updates.append({name: float(value) for name, value in learned.items()})  # waits, as `act` would
                now = progress.steps + len(played) * self._pool.num_envs
                check_metrics(updates[-1], self._agent, step, now, self._run.path)
            watch.lap("learn")
        for step in played:
            progress.add(step)
        progress.updates += len(updates)
        progress.metrics = updates[-1] if updates else progress.metrics
        progress.seconds = time.perf_counter() - self._start

    def log_and_save_where_due(self) -> None:
        """Rows of metrics and checkpoints. Raises RunDirectoryError."""
        if self._log_due(self._progress.steps):
            row = self._row()
            for sink in self._sinks:
                sink.metrics(self._progress.steps, row)
        if self._save_due(self._progress.steps) and not self.is_over:
            self._save()

    def end(self) -> None:
        """Save where it stands, after the last whole rollout. Raises RunDirectoryError."""
        if self.has_unsaved:
            self._agent.rewind(self._progress.steps)
            self._save()

    def _row(self) -> dict[str, float]:
        progress = self._progress
        elapsed, spent = self._watch.read()
        steps, self._logged_at = progress.steps - self._logged_at, progress.steps
        return {
            "rollout/ep_rew_mean": progress.mean_return,
            "rollout/ep_len_mean": progress.mean_length,
            "rollout/episodes": progress.episodes,
            "time/frames": progress.steps * self._config.frames_per_step,
            "time/updates": progress.updates,
            "time/time_elapsed": progress.seconds,
            "time/fps": steps / elapsed,
            **{f"time/{name}_share": seconds / elapsed for name, seconds in spent.items()},
            "time/restarts": self._pool.restarts,
            **progress.metrics,
        }

    def _save(self) -> None:
        """Save a checkpoint, unless learning has gone bad."""
        progress, policy = self._progress, self._agent.policy.to_arrays()
        check_weights(policy, progress.steps)
        if self._pool.has_strayed:
            self._versions = doubted(self._versions, "an environment did not replay")
        checkpoint = Checkpoint(
            config=self._config,
            counters=progress.counters,
            score=progress.score,
            policy=policy,
            learner=self._agent.learner.to_arrays(),
            sampling=self._pool.snapshot(of_last_rollout=True),
            progress=progress.to_arrays(),
            versions=self._versions,
        )
        self._run.save(checkpoint, self._config.training.keep_checkpoints)
        self._saved_at = progress.steps
