"""The synchronous training loop: act, step, learn. Between rollouts it writes metrics and checkpoints."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paac_cli.algorithms.agent import Agent
from paac_cli.config.schema import RunConfig
from paac_cli.errors import PaacError, StoppedError, WorkerError
from paac_cli.events import Alert, Approximate, Info, Log
from paac_cli.runs.arrays import Arrays
from paac_cli.runs.checkpoint import Checkpoint
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.runs.runtime import Runtime, approximate_reasons, unique
from paac_cli.runs.sinks import MetricSink
from paac_cli.sampling.history import own_histories
from paac_cli.sampling.make import Pool
from paac_cli.sampling.overlap import OverlappedPool, overlapped_rollout
from paac_cli.sampling.player import Player
from paac_cli.spec import Determinism
from paac_cli.stopwatch import Stopwatch
from paac_cli.timestep import TimeStep
from paac_cli.training.bad_batch import check_metrics, check_weights
from paac_cli.training.due import Due, MilestoneDue
from paac_cli.training.env_check import approximate_reason, information
from paac_cli.training.progress import Progress
from paac_cli.training.ranks import ALONE, Ranks, RankState
from paac_cli.training.stop import StopRequest


def interact(
    player: Player, pool: Pool, num_steps: int, stopwatch: Stopwatch
) -> Iterator[tuple[TimeStep, Mapping[str, Any] | None]]:
    """Play one rollout in lock-step. Yields each time step and the metrics that `learn` returned for it.

    The time that the caller spends on a yielded step counts as learning.
    """
    if isinstance(pool, OverlappedPool):
        yield from overlapped_rollout(player, pool, num_steps, stopwatch)
        return
    step = pool.latest
    for _ in range(num_steps):
        actions = player.act(step)
        stopwatch.lap("act")
        step = pool.step(actions)
        stopwatch.lap("env")
        yield step, player.learn(step)
        stopwatch.lap("learn")


@dataclass(frozen=True)
class Training:
    """Everything that `train` works with."""

    config: RunConfig
    agent: Agent
    pool: Pool
    run_dir: RunDirectory
    progress: Progress  #: as of the checkpoint that is resumed, or of the start; the loop advances it
    runtime: Runtime
    sinks: Sequence[MetricSink]
    log: Log
    stop: StopRequest
    determinism: Determinism | None = None  #: of the environment, if this session has checked it
    ranks: Ranks = ALONE  #: the processes that train together


def train(training: Training, resume_from: Checkpoint | None) -> None:
    """Train until `total_steps`, `stop_when` or a stop signal, then save the state after the last complete rollout.

    Metrics and checkpoints are written only between rollouts, where the agent holds no partly used experience. So if an
    environment fails or a worker hangs during a rollout, that rollout is not saved.

    Raises WorkerError after saving, LearningError without saving, and RunDirectoryError if saving fails. Of several
    ranks, one alone cannot save: it raises what happened, and ClusterError ends the others.
    """
    session = _Session(training, resume_from)
    failure: WorkerError | None = None
    try:
        session.begin()
        while not (session.is_stopping or session.is_finished):
            session.train_on_rollout()
            session.log_and_save_if_due()
    except StoppedError:
        pass  # a stop waits neither for a hung worker nor for a slow rollout; with several ranks it does
    except WorkerError as error:
        if training.ranks.size > 1:
            raise
        if training.stop:  # a stop signal to all processes may also end programs that environments need
            training.log(Alert(f"while the run was stopping, {error}"))
        else:
            failure = error
    if session.is_stopping:
        saving = "saving a checkpoint. Press Ctrl-C again to exit at once without saving"
        training.log(Info(f"Stopping: {saving if session.has_unsaved_steps else 'there is nothing to save'}"))
    try:
        session.save_last_rollout()
    except PaacError as error:
        if failure is None:
            raise
        raise WorkerError(f"{failure}\nThe run cannot be saved either: {error}") from failure
    if failure is not None:
        steps = training.progress.steps
        saved = f"\nThe run is saved at step {steps:,}, before this rollout" if steps else ""
        raise WorkerError(f"{failure}{saved}") from failure


class _Session:
    """The part of a run between a start or resume and its stop."""

    def __init__(self, training: Training, resume_from: Checkpoint | None) -> None:
        self._training, self._resume_from = training, resume_from
        config, steps = training.config, training.progress.steps
        self._envs = training.ranks.share(config.sampling.num_envs)
        self._approximate = approximate_reasons(
            training.runtime,
            resume_from.runtime if resume_from else None,
            resume_from.approximate if resume_from else (),
            resumes_exactly=config.algorithm.resumes_exactly,
        )
        self._found = training.determinism or Determinism("exact")
        if reason := approximate_reason(config.env.id, self._found):
            self._approximate = unique((*self._approximate, reason))
        self._log_due = Due(config.training.log_every, steps)
        self._save_due = Due(config.training.checkpoint_every, steps)
        self._milestone_due = MilestoneDue(config.training.total_steps if config.training.keep_milestones else 0, steps)
        self._logged_at = self._saved_at = steps
        self._stopwatch = Stopwatch()
        self._start = 0.0
        self._of_all_ranks = RankState()  # of all ranks, at the end of the latest rollout

    @property
    def is_stopping(self) -> bool:
        """Whether the run was asked to stop; with several ranks, whether all of them know that one was."""
        training = self._training
        return bool(training.stop) if training.ranks.size == 1 else bool(self._of_all_ranks.signal)

    @property
    def _own_state(self) -> RankState:
        training = self._training
        return RankState(training.stop.signal, training.pool.has_diverged, training.pool.restarts)

    @property
    def is_finished(self) -> bool:
        progress = self._training.progress
        return progress.steps >= self._training.config.training.total_steps or progress.goal_reached

    @property
    def has_unsaved_steps(self) -> bool:
        return self._training.progress.steps > self._saved_at

    def begin(self) -> None:
        """Restore agent and environments from the checkpoint, or reset them. Raises StoppedError or WorkerError."""
        agent, pool, checkpoint = self._training.agent, self._training.pool, self._resume_from
        if text := information(self._training.config.env.id, self._found):
            self._training.log(Info(text))
        if self._approximate:
            self._training.log(Approximate(self._approximate))
        if checkpoint is None:
            pool.reset()
        else:
            agent.policy.assign(checkpoint.policy)
            agent.learner.assign(checkpoint.learner)
            pool.restore(own_histories(checkpoint.sampling, self._envs, self._training.config.sampling.num_envs))
            checkpoint.learner.clear()  # unmaps a file, perhaps of gigabytes, that a later save deletes
        self._stopwatch = Stopwatch()
        self._start = time.perf_counter() - self._training.progress.seconds

    def train_on_rollout(self) -> None:
        """Play one rollout and learn from it. A single rank abandons the rollout when a stop becomes urgent.

        Raises WorkerError or StoppedError, and then `progress` is unchanged; or LearningError.
        """
        training, progress = self._training, self._training.progress
        length, played, updates = training.config.algorithm.rollout_length, [], []
        num_envs, ranks = training.config.sampling.num_envs, training.ranks
        self._stopwatch.skip()
        for step, metrics in interact(training.agent, training.pool, length, self._stopwatch):
            played.append(step)
            if metrics is not None:
                # Waits for the device, as the next `act` would.
                updates.append({name: float(value) for name, value in metrics.items()})
                now = progress.steps + len(played) * num_envs
                with ranks.failing_together():
                    check_metrics(updates[-1], training.agent, step, now, training.run_dir.path, ranks)
            if training.stop.is_urgent and len(played) < length and ranks.size == 1:
                raise StoppedError("the stop did not wait for the end of the rollout")
        episodes, self._of_all_ranks = ranks.report(played, self._envs.start, self._own_state)
        progress.add(len(played) * num_envs, episodes)
        if ranks.size > 1 and (self._of_all_ranks.signal or self.is_finished):
            training.stop.adopt(self._of_all_ranks.signal)
        progress.updates += len(updates)
        progress.metrics = updates[-1] if updates else progress.metrics
        progress.seconds = time.perf_counter() - self._start

    def log_and_save_if_due(self) -> None:
        """Write a row of metrics, a milestone and a checkpoint, each if it is due. Raises as `_save` does."""
        steps = self._training.progress.steps
        if self._log_due(steps):
            row = self._metrics_row()
            for sink in self._training.sinks:
                sink.write(steps, row)
        if self._milestone_due(steps):  # before the checkpoint: a run that resumes from there has its milestones
            self._save_milestone()
        if self._save_due(steps) and not self.is_finished:
            self._save()

    def save_last_rollout(self) -> None:
        """Save the state after the last complete rollout. Raises RunDirectoryError."""
        if self.has_unsaved_steps:
            self._training.agent.memory.rewind(self._training.progress.steps)
            self._save()

    def _metrics_row(self) -> dict[str, float]:
        progress = self._training.progress
        elapsed, spent = self._stopwatch.read()
        steps, self._logged_at = progress.steps - self._logged_at, progress.steps
        smallest, largest = self._reward_range()
        return {
            "rollout/ep_rew_mean": progress.mean_return,
            "rollout/ep_len_mean": progress.mean_length,
            "rollout/episodes": progress.episodes,
            "rollout/reward_min": smallest,
            "rollout/reward_max": largest,
            **progress.info_means,
            "time/frames": progress.steps * self._training.config.frames_per_step,
            "time/updates": progress.updates,
            "time/time_elapsed": progress.seconds,
            "time/fps": steps / elapsed,
            **{f"time/{name}_share": seconds / elapsed for name, seconds in spent.items()},
            "time/restarts": self._of_all_ranks.restarts,
            **progress.metrics,
        }

    def _reward_range(self) -> tuple[float, float]:
        """The smallest and the largest reward of a step in the latest rollout of all ranks."""
        training = self._training
        own = training.pool.latest.rollout.reward
        smallest, largest = training.ranks.stack(np.array([own.min(), own.max()])).T
        return float(smallest.min()), float(largest.max())

    def _save(self) -> None:
        """Save a checkpoint. Raises LearningError if a weight is not finite, and RunDirectoryError."""
        training, progress = self._training, self._training.progress
        policy = self._policy()
        training.ranks.require_equal(policy)
        if training.pool.has_diverged or self._of_all_ranks.has_diverged:
            self._approximate = unique((*self._approximate, "an environment diverged on replay"))
        checkpoint = self._checkpoint(
            policy,
            learner=training.agent.learner.to_arrays(),
            sampling=training.ranks.histories(training.pool.snapshot(of_last_rollout=True)),
            progress=progress.to_arrays(),
        )
        if training.ranks.is_first:
            training.log(training.run_dir.save(checkpoint, training.config.training.keep_checkpoints))
        self._saved_at = progress.steps

    def _save_milestone(self) -> None:
        """Save the policy alone. Raises as `_save` does."""
        policy = self._policy()
        if self._training.ranks.is_first:
            self._training.run_dir.save_milestone(self._checkpoint(policy))

    def _policy(self) -> Arrays:
        """The arrays of the policy. Raises LearningError if a weight is not finite."""
        policy = self._training.agent.policy.to_arrays()
        with self._training.ranks.failing_together():
            check_weights(policy, self._training.progress.steps)
        return policy

    def _checkpoint(
        self,
        policy: Arrays,
        learner: Arrays | None = None,
        sampling: Arrays | None = None,
        progress: Arrays | None = None,
    ) -> Checkpoint:
        """A checkpoint of the present, with the parts that are given."""
        training = self._training
        return Checkpoint(
            config=training.config,
            counters=training.progress.counters,
            score=training.progress.score,
            policy=policy,
            learner=learner or {},
            sampling=sampling or {},
            progress=progress or {},
            runtime=training.runtime,
            approximate=self._approximate,
        )
