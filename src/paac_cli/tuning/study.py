"""Works through the trials of a study, some at a time.

Which settings trial `k` gets, and whether it is stopped early, depends on the results of the trials up to `k - jobs`
and on nothing else. So a study is a function of its design, however long each trial takes, and also if it is stopped
or killed and continued.
"""

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from paac_cli.errors import ConfigError, RunDirectoryError
from paac_cli.files import make_directory
from paac_cli.runs.run_directory import require_no_link
from paac_cli.runs.run_record import read_record
from paac_cli.text import reason
from paac_cli.training.jobs import Jobs
from paac_cli.tuning.sampler import is_hopeless, propose
from paac_cli.tuning.study_directory import Design, StudyDirectory
from paac_cli.tuning.trial import PARTS, Trial, TrialStatus, metric_of, read_progress

_PAUSE = 1.0  # seconds between two looks at the metrics of the trials that train
_FAILED = 1  # exit code of `paac train` if learning has diverged or an environment has failed


@dataclass
class _RunningTrial:
    """A trial that trains."""

    trial: Trial
    seed_index: int = 0
    judged: int = 0  # parts of its progress after which it was compared with others
    pruned_after: int | None = None  # so many parts

    @property
    def job(self) -> str:
        return f"trial {self.trial.number}"


class Study:
    """The trials of a study."""

    def __init__(self, design: Design, files: StudyDirectory, jobs: Jobs, log: Callable[[Trial], None]) -> None:
        """log: takes each trial when it begins and when it has ended. Raises RunDirectoryError."""
        self._design, self._files, self._jobs, self._log = design, files, jobs, log
        self.trials = files.read_trials()
        self._running: dict[int, _RunningTrial] = {}  # by the number of the trial
        #: What a trial printed that could not train for another reason than its settings, e.g. a full disk.
        self.failed_output: Path | None = None

    @property
    def best(self) -> Trial | None:
        """The trial with the highest score, the first of several; None if none has finished."""
        scores = {trial.number: trial.score for trial in self.trials if trial.score is not None}
        return self.trials[max(scores, key=scores.__getitem__) - 1] if scores else None

    def search(self, num_trials: int) -> None:
        """Train until `num_trials` trials have ended, the jobs are asked to stop, or a trial cannot train.

        Raises RunDirectoryError.
        """
        self._write_best()  # a crash may have come between the scores and the preset
        while True:
            while self._jobs.may_start and self.failed_output is None and (trial := self._next(num_trials)):
                self._begin(trial)
            if not self._running:
                return
            exit_codes = self._jobs.wait(_PAUSE)
            for running in list(self._running.values()):
                self._follow(running, exit_codes.get(running.job))

    def _next(self, num_trials: int) -> Trial | None:
        """The next trial to train: one that was interrupted, or a new one; None if that must wait for others."""
        for trial in self.trials[:num_trials]:
            if trial.outcome == TrialStatus.UNFINISHED and trial.number not in self._running:
                return trial
        number = len(self.trials) + 1
        known = self._known_to(number)
        if number > num_trials or any(trial.outcome == TrialStatus.UNFINISHED for trial in known):
            return None
        unknown = [Trial(number=trial.number, settings=trial.settings) for trial in self.trials[len(known) :]]
        settings = propose(self._design.space, self._design.base.seed, number, [*known, *unknown])
        return Trial(number=number, settings=settings)

    def _known_to(self, number: int) -> list[Trial]:
        """The trials on whose results trial `number` depends."""
        return self.trials[: max(number - self._design.jobs, 0)]

    def _begin(self, trial: Trial) -> None:
        try:
            self._design.config_of(trial.settings)
        except ConfigError as error:
            self._save(trial, outcome=TrialStatus.FAILED, reason=str(error))
            return
        self._save(trial)
        self._running[trial.number] = running = _RunningTrial(trial)
        self._start_seed(running)

    def _start_seed(self, running: _RunningTrial) -> None:
        """Start the job that trains with the next seed, or resumes."""
        trial, seed, run = running.trial, self._design.seeds[running.seed_index], self._run(running)
        arguments = ["train", "--preset", str(self._files.base), "--seed", str(seed), "--run-dir", str(run), "--quiet"]
        for key, value in trial.settings.items():
            arguments += ["--set", f"{key}={json.dumps(value)}"]
        try:
            for directory in (run.parent, run):
                require_no_link(directory)
            make_directory(run.parent)
            self._jobs.start(running.job, arguments, _output(run))
        except OSError as error:
            raise RunDirectoryError(f"{run.parent} cannot be written: {reason(error, run.parent)}") from error

    def _run(self, running: _RunningTrial) -> Path:
        return self._files.run(running.trial.number, self._design.seeds[running.seed_index])

    def _follow(self, running: _RunningTrial, exit_code: int | None) -> None:
        """Compare a trial with others, and go on with it if its job has ended. exit_code: None if that still runs."""
        progress = self._progress(running)
        num_parts = PARTS * len(self._design.seeds)
        while running.pruned_after is None and running.judged < min(len(progress), num_parts - 1):
            running.judged += 1
            if self._is_hopeless(running.trial, progress[: running.judged]):
                running.pruned_after = running.judged
                if exit_code is None:
                    self._jobs.send(running.job, signal.SIGTERM)
        if exit_code is None:
            return
        if running.pruned_after is not None:
            self._end(running, TrialStatus.PRUNED, progress[: running.pruned_after])
        elif exit_code == 0 and running.seed_index + 1 < len(self._design.seeds):
            running.seed_index += 1
            self._start_seed(running)
        elif exit_code == 0:
            self._end(running, TrialStatus.FINISHED, progress)
        elif exit_code == _FAILED:
            record = read_record(self._run(running))
            self._end(running, TrialStatus.FAILED, progress, record.reason if record else "")
        else:
            del self._running[running.trial.number]  # it is resumed when the study continues
            if not self._jobs.is_stopping:
                self.failed_output = self.failed_output or _output(self._run(running))

    def _progress(self, running: _RunningTrial) -> list[float | None]:
        """Of a trial, as far as it has come: with all seeds up to the current one. Raises RunDirectoryError."""
        base = self._design.base
        progress: list[float | None] = []
        for seed in self._design.seeds[: running.seed_index + 1]:
            run = self._files.run(running.trial.number, seed)
            try:
                progress += read_progress(run, metric_of(base), base.training.total_steps)
            except (OSError, ValueError) as error:
                raise RunDirectoryError(f"{run} has no metrics that can be read: {reason(error)}") from error
        return progress

    def _is_hopeless(self, trial: Trial, progress: list[float | None]) -> bool:
        if not self._design.prune:
            return False
        so_far = trial.model_copy(update={"progress": progress})
        return is_hopeless(self._design.space, so_far, self._known_to(trial.number))

    def _end(
        self, running: _RunningTrial, outcome: TrialStatus, progress: list[float | None], failure: str = ""
    ) -> None:
        del self._running[running.trial.number]
        ends = [value for value in progress[PARTS - 1 :: PARTS] if value is not None]
        score = None
        if outcome == TrialStatus.FINISHED and len(ends) == len(self._design.seeds):
            score = fmean(ends)
        elif outcome == TrialStatus.FINISHED:
            outcome, failure = TrialStatus.FAILED, "no game has ended"
        self._save(running.trial, outcome=outcome, progress=progress, score=score, reason=failure)

    def _save(self, trial: Trial, **changes: Any) -> None:
        trial = trial.model_copy(update=changes)
        self.trials[trial.number - 1 : trial.number] = [trial]
        self._files.write_trials(self.trials)
        if trial is self.best:
            self._write_best()
        self._log(trial)

    def _write_best(self) -> None:
        if (best := self.best) is not None:
            config = self._design.config_of(best.settings)
            self._files.write_best(config, f"The best settings so far: trial {best.number}")


def _output(run: Path) -> Path:
    """The file for what the training in `run` prints."""
    return run.with_name(f"{run.name}.txt")
