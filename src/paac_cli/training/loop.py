"""The synchronous training loop: act, step, learn. Between rollouts it evaluates and writes metrics and checkpoints."""

import time
from collections.abc import Mapping
from typing import Any

from paac_cli.errors import AlgorithmError, PaacError, StoppedError, WorkerError
from paac_cli.events import Alert, Approximate, Info
from paac_cli.runs.checkpoint import Checkpoint
from paac_cli.sampling.history import own_histories
from paac_cli.spec import Determinism
from paac_cli.stopwatch import Stopwatch
from paac_cli.text import abridged, one_line
from paac_cli.training.bad_batch import check_metrics
from paac_cli.training.checkpoint_writer import CheckpointWriter
from paac_cli.training.due import Due, MilestoneDue
from paac_cli.training.env_check import approximate_reason, information
from paac_cli.training.interaction import interact
from paac_cli.training.progress import metric_of
from paac_cli.training.ranks import RankState
from paac_cli.training.training import Training

_OWN_METRICS = ("rollout/", "time/", "eval/", "info/")  # prefixes of the metrics that no algorithm gives
_STEPS = "steps"  # the first column of metrics.csv
_SIGNALS_TAKE = 0.5  # seconds at most until a signal to all processes has reached this one, after it has ended others


def train(training: Training, resume_from: Checkpoint | None) -> bool:
    """Train until `total_steps`, `stop_when` or a stop signal, then save the state after the last complete rollout.

    Metrics and checkpoints are written only between rollouts, where the agent holds no partly used experience. So if an
    environment fails or a worker hangs during a rollout, that rollout is not saved. An evaluation that is interrupted
    is made when the run resumes.

    Returns whether the run has reached its end, also if a stop signal came too late to prevent that.

    Raises WorkerError after saving, LearningError without saving, and RunDirectoryError if saving fails. Of several
    ranks, one alone cannot save: it raises what happened, and ClusterError ends the others.
    """
    session = _Session(training, resume_from)
    failure: WorkerError | None = None
    try:
        session.begin()
        session.make_up_for_evaluation()
        while not (session.is_stopping or session.is_finished):
            session.train_on_rollout()
            session.write_and_save_if_due()
    except StoppedError:
        pass  # a stop waits neither for a hung worker nor for a slow rollout; with several ranks it does
    except WorkerError as error:
        if training.ranks.size > 1:
            raise
        time.sleep(_SIGNALS_TAKE)
        if training.stop:  # a stop signal to all processes may also end programs that environments need
            training.log(Alert(f"while the run was stopping, {error}"))
        else:
            failure = error
    if session.is_stopping:
        saving = "saving a checkpoint. Press Ctrl-C again to exit at once without saving"
        training.log(Info(f"Stopping: {saving if session.is_unsaved else 'there is nothing to save'}"))
    try:
        session.save_last_rollout()
    except PaacError as error:
        if failure is None:
            raise
        raise WorkerError(f"{failure}\nThe run cannot be saved either: {error}") from failure
    if failure is not None:
        steps = training.progress.steps
        place = "evaluation" if session.evaluation_due else "rollout"
        saved = f"\nThe run is saved at step {steps:,}, before this {place}" if steps else ""
        raise WorkerError(f"{failure}{saved}") from failure
    return session.is_finished and not session.evaluation_due


class _Session:
    """The part of a run between a start or resume and its stop."""

    def __init__(self, training: Training, resume_from: Checkpoint | None) -> None:
        self._training, self._resume_from = training, resume_from
        config, steps = training.config, training.progress.steps
        self._envs = training.ranks.share(config.sampling.num_envs)
        self._determinism = training.determinism or Determinism("exact")
        self._writer = CheckpointWriter(
            training, resume_from, approximate_reason(config.env.id, self._determinism), self._has_diverged
        )
        self._row_due = Due(config.training.log_every, steps)
        self._save_due = Due(config.training.checkpoint_every, steps)
        self._milestone_due = MilestoneDue(config.training.total_steps if config.training.keep_milestones else 0, steps)
        self._evaluate_due = Due(config.training.evaluate_every, steps)
        self.evaluation_due = resume_from is not None and resume_from.evaluation_due  #: at the current step
        self._last_row_at, self._saved = steps, (steps, self.evaluation_due)
        self._has_checked_info, self._earlier_episodes = not training.ranks.is_first, training.progress.episodes
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
        training, pool, evaluator = self._training, self._training.pool, self._training.evaluator
        has_diverged = pool.has_diverged or evaluator.has_diverged
        return RankState(training.stop.signal, has_diverged, pool.restarts)  # also those of the evaluator

    def _has_diverged(self) -> bool:
        return self._own_state.has_diverged or self._of_all_ranks.has_diverged

    @property
    def is_finished(self) -> bool:
        return self._training.progress.is_finished(self._training.config.training.total_steps)

    @property
    def is_unsaved(self) -> bool:
        return (self._training.progress.steps, self.evaluation_due) != self._saved

    def begin(self) -> None:
        """Restore agent and environments from the checkpoint, or reset them. Raises StoppedError or WorkerError."""
        agent, pool, checkpoint = self._training.agent, self._training.pool, self._resume_from
        if text := information(self._training.config.env.id, self._determinism):
            self._training.log(Info(text))
        if self._training.config.training.evaluate_every is not None:
            self._training.log(Info(self._training.evaluator.description))
        if reasons := self._writer.approximate:
            self._training.log(Approximate(reasons))
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

        Raises WorkerError or StoppedError, and then `progress` has no more steps; or LearningError.
        """
        training, progress = self._training, self._training.progress
        length, played, updates = training.config.algorithm.rollout_length, [], []
        num_envs, ranks = training.config.sampling.num_envs, training.ranks
        self._stopwatch.skip()
        for step, metrics in interact(training.agent, training.pool, length, self._stopwatch):
            played.append(step)
            progress.steps_of_rollout = len(played) * num_envs
            if metrics is not None:
                now = progress.steps + len(played) * num_envs
                with ranks.failing_together():
                    updates.append(_as_floats(metrics))  # waits for the device, as the next `act` would
                    check_metrics(updates[-1], training.agent, step, now, training.run_dir.path, ranks)
            if training.stop.is_urgent and len(played) < length and ranks.size == 1:
                raise StoppedError("the stop did not wait for the end of the rollout")
        episodes, self._of_all_ranks, rewards = ranks.report(played, self._envs.start, self._own_state)
        progress.add(len(played) * num_envs, episodes)
        self._adopt(self._of_all_ranks.signal)
        progress.updates += len(updates)
        progress.metrics = (updates[-1] if updates else progress.metrics) | rewards
        progress.seconds = time.perf_counter() - self._start

    def _adopt(self, signal: int) -> None:
        """All ranks have agreed that a rank has got this stop signal; 0: none."""
        self._of_all_ranks = self._of_all_ranks._replace(signal=signal)
        if self._training.ranks.size > 1 and signal:
            self._training.stop.adopt(signal)

    def make_up_for_evaluation(self) -> None:
        """Evaluate, if the session that saved the checkpoint was stopped at an evaluation.

        Raises as `write_and_save_if_due`.
        """
        if self.evaluation_due:
            self._write_row()

    def write_and_save_if_due(self) -> None:
        """Save a milestone, evaluate, write a row of metrics and save a checkpoint, each if it is due.

        A row is always due when the run is finished. Milestones before the step of a resume are not saved any more.
        Raises RunDirectoryError, WorkerError if the evaluation fails, and LearningError as `_save`.
        """
        steps = self._training.progress.steps
        if self._milestone_due(steps):
            self._writer.save_milestone()
        row_due, self.evaluation_due = self._row_due(steps), self._evaluate_due(steps)
        if row_due or self.evaluation_due or self.is_finished:
            self._write_row()
        if self._save_due(steps) and not self.is_finished:
            self._save(may_be_best=True)

    def save_last_rollout(self) -> None:
        """Save the state after the last complete rollout. Raises RunDirectoryError."""
        self._training.progress.steps_of_rollout = 0
        if self.is_unsaved:
            self._training.agent.memory.rewind(self._training.progress.steps)
            self._save(may_be_best=self.is_finished)

    def _write_row(self) -> None:
        """Write a row of metrics, with the evaluation if one is due. If that is interrupted, no row is written."""
        results = self._evaluate() if self.evaluation_due else {}
        if results is None:
            return
        self._warn_of_missing_info()
        row = self._metrics_row() | results
        for sink in self._training.sinks:
            sink.write(self._training.progress.steps, row)

    def _warn_of_missing_info(self) -> None:
        """Warn of keys of `training.info_keys` that no game has reported, once a game of this session has ended."""
        if self._has_checked_info or self._training.progress.episodes == self._earlier_episodes:
            return
        self._has_checked_info = True
        reported = self._training.progress.info_means
        for key in self._training.config.training.info_keys:
            if metric_of(key) not in reported:
                self._training.log(
                    Alert(f"training.info_keys: no game so far had a number {key!r} in the info of its last step")
                )

    def _evaluate(self) -> dict[str, float] | None:
        """Evaluate the policy and save it if it is the best.

        Returns the metrics, which are empty in other ranks than the first; None after a stop signal, and then the
        evaluation is still due.
        """
        training, steps = self._training, self._training.progress.steps
        if self.is_stopping:
            return None
        policy = self._writer.checked_policy()
        self._stopwatch.skip()
        try:
            evaluation = training.evaluator.evaluate(training.agent, lambda: training.stop.signal)
        except WorkerError as error:
            raise WorkerError(f"the evaluation at step {steps:,} failed: {error}") from error
        seconds = self._stopwatch.exclude()
        self._start += seconds
        if evaluation.signal:
            self._adopt(evaluation.signal)
            return None
        self.evaluation_due = False
        if not evaluation.games:
            return {}
        self._writer.save_if_best(policy, evaluation.score)
        return evaluation.metrics | {"time/eval_share": seconds / (seconds + self._stopwatch.elapsed)}

    def _metrics_row(self) -> dict[str, float]:
        """Metric -> value, in the order of the columns of metrics.csv."""
        progress = self._training.progress
        elapsed, spent = self._stopwatch.read()
        steps, self._last_row_at = progress.steps - self._last_row_at, progress.steps
        speed = {}
        if steps:  # otherwise the run has just resumed
            shares = {f"time/{name}_share": seconds / elapsed for name, seconds in spent.items()}
            speed = {"time/fps": steps / elapsed} | shares
        return {
            "rollout/ep_rew_mean": progress.mean_return,
            "rollout/ep_len_mean": progress.mean_length,
            "rollout/episodes": progress.episodes,
            # Also below: given here first, they have their columns beside the others of rollout/.
            **{name: value for name, value in progress.metrics.items() if name.startswith("rollout/")},
            **progress.info_means,
            "time/frames": progress.steps * self._training.config.env.frames_per_step,
            "time/updates": progress.updates,
            "time/time_elapsed": progress.seconds,
            **speed,
            "time/restarts": self._of_all_ranks.restarts,
            **progress.metrics,
        }

    def _save(self, *, may_be_best: bool) -> None:
        """Save a checkpoint. Raises as `CheckpointWriter`."""
        self._writer.save(evaluation_due=self.evaluation_due, may_be_best=may_be_best)
        self._saved = self._training.progress.steps, self.evaluation_due


def _as_floats(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Raises AlgorithmError if a metric is not one number, or its name is no line of text or one of this module."""
    if not isinstance(metrics, Mapping):
        raise AlgorithmError(f"learn of the algorithm returned a {type(metrics).__name__}; expected a dict or None")
    numbers = {}
    for name, value in metrics.items():
        if not isinstance(name, str) or one_line(name) != name:
            raise AlgorithmError(f"the algorithm returned the metric {name!r}; expected one line of text as its name")
        if name == _STEPS or name.startswith(_OWN_METRICS):
            raise AlgorithmError(
                f"the algorithm returned the metric {name!r}; {_STEPS} and names that begin with "
                f"{' or '.join(_OWN_METRICS)} are those of paac"
            )
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError):
            message = f"the algorithm returned the metric {name!r} = {abridged(repr(value))}; expected one number"
            raise AlgorithmError(message) from None
    return numbers
