"""The trials of a study, with stand-ins for the processes that train."""

import itertools
import json
import signal
from pathlib import Path

import pytest

from paac_cli.config.load import load_config, read_config
from paac_cli.errors import BUG, RunDirectoryError
from paac_cli.runs.run_record import RunRecord, Status, write_record
from paac_cli.tuning.space import Choices, Range
from paac_cli.tuning.study import Study
from paac_cli.tuning.study_directory import Design, StudyDirectory
from paac_cli.tuning.trial import PARTS, TrialStatus, read_progress

GAMMA, STEPS = "algorithm.gamma", "algorithm.num_steps"
SPACE = {GAMMA: Range(0.5, 1.0, False, False), STEPS: Choices((8, 16, 32))}
TOTAL_STEPS = 1_000
STOPPED, FAILED, UNUSABLE = 128 + signal.SIGTERM, 1, 2


class StandInJobs:
    """Does what `Jobs` does, but each job writes rows of metrics at each look; its return rises to 100 * gamma + seed.

    Jobs that began later are faster, so that trials end in another order than they begin.
    """

    def __init__(self, most, codes=None, looks=None):
        """codes: name of a job -> its exit code at the end, if not 0. looks: stops all after so many looks."""
        self._most, self._codes, self._looks = most, codes or {}, looks
        self._running = {}
        self.started, self.signals, self.is_stopping = [], [], False

    @property
    def may_start(self):
        return len(self._running) < self._most and not self.is_stopping

    def start(self, name, arguments, output):
        options = dict(itertools.pairwise(arguments))
        settings = dict(value.split("=", 1) for option, value in itertools.pairwise(arguments) if option == "--set")
        self.started.append((name, options["--seed"]))
        run = Path(options["--run-dir"])
        done = len((run / "metrics.csv").read_text().splitlines()) - 1 if run.exists() else 0
        self._running[name] = [run, json.loads(settings[GAMMA]), int(options["--seed"]), done]

    def send(self, name, number):
        self.signals.append((name, number))
        self._running[name].append(STOPPED)

    def wait(self, seconds):
        ended = {}
        if self._looks is not None:
            self._looks -= 1
            self.is_stopping |= self._looks < 0
        for place, (name, job) in enumerate(list(self._running.items())):
            if self.is_stopping:
                ended[name] = STOPPED
            elif len(job) > 4:
                ended[name] = job[4]
            elif self._write_rows(job, 1 + place):
                ended[name] = self._codes.get(name, 0)
                if ended[name] == FAILED:
                    write_record(job[0], RunRecord(status=Status.FAILED, reason="the loss is NaN"))
        for name in ended:
            del self._running[name]
        return ended

    def _write_rows(self, job, number):
        run, gamma, seed, done = job
        job[3] = done = min(done + number, PARTS)
        run.mkdir(parents=True, exist_ok=True)
        rows = [f"{TOTAL_STEPS * part // PARTS},{(100 * gamma + seed) * part / PARTS}" for part in range(1, done + 1)]
        (run / "metrics.csv").write_text("\n".join(["steps,rollout/ep_rew_mean", *rows, ""]))
        return done == PARTS


def design(seeds=(1,), jobs=1, prune=False, seed=1, **training):
    data = {
        "seed": seed,
        "env": {"id": "CartPole-v1"},
        "algorithm": {"name": "ppo"},
        "network": {"torso": "mlp"},
        "training": {"total_steps": TOTAL_STEPS} | training,
    }
    return Design(load_config(data, "test"), SPACE, seeds, jobs, prune)


def search(path, num_trials, *, processes=None, **design_settings):
    """The study after a search, and its stand-in jobs."""
    plan = design(**design_settings)
    processes = processes or StandInJobs(plan.jobs)
    with StudyDirectory(path, plan) as files:
        study = Study(plan, files, processes, lambda trial: None)
        study.search(num_trials)
    return study, processes


def test_trials_have_scores_and_the_best_becomes_a_preset(tmp_path):
    study, jobs = search(tmp_path / "study", 6)
    assert [trial.outcome for trial in study.trials] == [TrialStatus.FINISHED] * 6
    assert jobs.started == [(f"trial {number}", "1") for number in range(1, 7)]
    for trial in study.trials:
        assert trial.score == pytest.approx(100 * trial.settings[GAMMA] + 1)
        assert len(trial.progress) == PARTS
    assert study.best.settings[GAMMA] == max(trial.settings[GAMMA] for trial in study.trials)
    best = read_config(tmp_path / "study" / "best.yaml")
    assert (best.algorithm.gamma, best.algorithm.num_steps) == tuple(study.best.settings.values())
    assert best.env.id == "CartPole-v1"


def test_a_preset_of_the_best_trial_that_a_crash_has_prevented_is_written_later(tmp_path):
    search(tmp_path / "study", 3)
    best = tmp_path / "study" / "best.yaml"
    content = best.read_text()
    best.unlink()
    search(tmp_path / "study", 3)
    assert best.read_text() == content


def test_a_score_is_the_mean_over_seeds(tmp_path):
    study, jobs = search(tmp_path / "study", 1, seeds=(3, 7))
    assert jobs.started == [("trial 1", "3"), ("trial 1", "7")]
    assert study.trials[0].score == pytest.approx(100 * study.trials[0].settings[GAMMA] + 5)
    assert len(study.trials[0].progress) == 2 * PARTS


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("prune", [False, True])
def test_a_study_that_is_stopped_and_continued_is_the_same(jobs, prune, tmp_path):
    settings = {"jobs": jobs, "prune": prune}
    whole, _ = search(tmp_path / "whole", 12, **settings)
    for _ in range(60):
        parts, _ = search(tmp_path / "parts", 12, processes=StandInJobs(jobs, looks=7), **settings)
        if all(trial.outcome != TrialStatus.UNFINISHED for trial in parts.trials) and len(parts.trials) == 12:
            break
    assert parts.trials == whole.trials
    assert {trial.outcome for trial in whole.trials} == {TrialStatus.FINISHED} | (
        {TrialStatus.PRUNED} if prune else set()
    )


def test_more_trials_continue_a_study(tmp_path):
    search(tmp_path / "grown", 4)
    grown, _ = search(tmp_path / "grown", 7)
    assert grown.trials == search(tmp_path / "whole", 7)[0].trials


def test_a_trial_does_not_depend_on_those_beside_which_it_trains(tmp_path):
    """With 3 jobs, proposal 14 depends on the scores of trials 1 to 11 only, whichever has ended first."""
    study, _ = search(tmp_path / "study", 14, jobs=3)
    alone, _ = search(tmp_path / "alone", 14, jobs=1)
    assert study.trials[9].settings == alone.trials[9].settings  # random
    assert study.trials[13].settings != alone.trials[13].settings


def test_a_pruned_trial_is_stopped_and_counts_with_what_it_had_reached(tmp_path):
    study, jobs = search(tmp_path / "study", 16, prune=True)
    pruned = [trial for trial in study.trials if trial.outcome == TrialStatus.PRUNED]
    assert pruned
    assert jobs.signals == [(f"trial {trial.number}", signal.SIGTERM) for trial in pruned]
    for trial in pruned:
        assert trial.score is None
        assert PARTS // 4 <= len(trial.progress) < PARTS
    assert study.best.outcome == TrialStatus.FINISHED


def test_a_failed_trial_does_not_end_the_study(tmp_path):
    study, _ = search(tmp_path / "study", 4, processes=StandInJobs(1, {"trial 2": FAILED}))
    assert [trial.outcome for trial in study.trials] == [
        TrialStatus.FINISHED,
        TrialStatus.FAILED,
        *[TrialStatus.FINISHED] * 2,
    ]
    assert study.trials[1].reason == "the loss is NaN"


@pytest.mark.parametrize("code", [UNUSABLE, BUG])
def test_a_trial_that_cannot_train_ends_the_search_and_is_repeated_later(code, tmp_path):
    study, jobs = search(tmp_path / "study", 4, processes=StandInJobs(1, {"trial 2": code}))
    assert jobs.started[-1] == ("trial 2", "1")
    assert study.failed_output == tmp_path / "study" / "trial2" / "seed1.txt"
    again, _ = search(tmp_path / "study", 4)
    assert again.trials == search(tmp_path / "whole", 4)[0].trials


def test_a_directory_holds_one_study(tmp_path):
    search(tmp_path / "study", 1)
    for other, message in [
        (design(seeds=(2,)), r"seeds: \[1\] in the study, \[2\] now"),
        (design(jobs=2), "jobs: 1 in the study, 2 now"),
        (design(seed=5), "seed: 1 in the study, 5 now"),
        (design(total_steps=2_000), "training.total_steps: 1000 in the study, 2000 now"),
        (design(evaluate_every=500), "training.evaluate_every: None in the study, 500 now"),
        (design()._replace(space=dict(reversed(SPACE.items()))), "space: "),  # which changes what is proposed
        (design()._replace(space={GAMMA: Range(0.5, 0.9, False, False)}), "space: "),
    ]:
        with pytest.raises(RunDirectoryError, match=message), StudyDirectory(tmp_path / "study", other):
            pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(RunDirectoryError, match="neither empty nor a study"):
        search(tmp_path / "other", 1)
    search(tmp_path / "study", 1, keep_checkpoints=5)  # on which no score depends
    with (
        StudyDirectory(tmp_path / "study", design()),
        pytest.raises(RunDirectoryError, match="another process"),
        StudyDirectory(tmp_path / "study", design()),
    ):
        pass


def test_the_progress_of_a_run_does_not_depend_on_when_it_is_read(tmp_path):
    rows = [(40, "nan"), (90, ""), (140, "3"), (160, "4"), (260, ""), (1_010, "9")]
    lines = ["steps,rollout/ep_rew_mean", *(f"{steps},{value}" for steps, value in rows)]
    seen = []
    for end in range(1, len(lines) + 1):
        (tmp_path / "metrics.csv").write_text("\n".join([*lines[:end], ""]))
        seen.append(read_progress(tmp_path, "rollout/ep_rew_mean", TOTAL_STEPS))
    assert all(earlier == later[: len(earlier)] for earlier, later in itertools.pairwise(seen))
    assert seen[-1] == [None, None, 3.0, *[4.0] * 16, 9.0]
    assert read_progress(tmp_path / "missing", "rollout/ep_rew_mean", TOTAL_STEPS) == []


def test_a_study_writes_through_no_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    search(tmp_path / "study", 1)
    (tmp_path / "study" / "trial2").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirectoryError, match="trial2 is a symbolic link"):
        search(tmp_path / "study", 2)
    assert not list((tmp_path / "elsewhere").iterdir())
