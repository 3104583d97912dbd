"""What the trials of `chaos` count as a failure, and how they report it."""

import json
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from chaos import run, soak
from chaos.disturbed_runs import differences
from chaos.growth import growth
from chaos.report import reliability_page
from chaos.result import TrialResult
from chaos.save_scenes import some_checkpoint
from chaos.worker_kills import SentSignal, missing_reports, restart_descriptions
from paac_cli.events import RestartFailed, WorkerFailure, WorkerRestarted
from paac_cli.runs.checkpoint import save_checkpoint
from paac_cli.runs.run_directory import RunDirectory

HOURS = np.linspace(0, 1, 600)


# --- runs with different results


def run_of(directory, weight=1.0, rows=((64, 5), (128, 6))):
    checkpoint, run = some_checkpoint(128)._replace(policy={"w": np.full(3, weight)}), RunDirectory(directory)
    run.create(checkpoint.config, fresh=False)
    save_checkpoint(run.checkpoints, checkpoint, keep=1)
    lines = ["steps,time/fps,train/loss", *(f"{steps},{np.random.rand()},{loss}" for steps, loss in rows)]
    run.metrics_csv.write_text("\n".join([*lines, ""]))
    return directory


@pytest.mark.parametrize(
    ("other", "different"),
    [
        ({}, []),
        ({"weight": np.nextafter(1, 2)}, ["policy w"]),
        ({"rows": ((64, 5), (128, 7))}, ["metrics.csv"]),
        ({"rows": ((64, 5), (64, 5), (128, 6))}, ["metrics.csv"]),
        ({"rows": ((64, 5),)}, ["metrics.csv"]),
    ],
    ids=["nothing", "one bit of a weight", "one metric", "a repeated row", "a missing row"],
)
def test_runs_are_compared_in_every_bit_and_row(other, different, tmp_path):
    assert differences(run_of(tmp_path / "a", **other), run_of(tmp_path / "b")) == different


# --- restarts of workers that are missing in events.log


def failure(worker, cause, activity):
    return WorkerFailure(f"worker {worker} (environments {worker}-{worker})", cause, activity, "a stack\n  frame 1")


EVENTS = "".join(
    f"2026-01-02T03:04:05Z {event}\n"
    for event in (
        RestartFailed(failure(0, "killed by SIGKILL", "in step 3 (action 1) of game 2 (seed 5) of environment 0")),
        WorkerRestarted(failure(1, "hung for 2 s", "between two commands"), 0.4),
    )
)


def test_every_signal_to_a_worker_must_be_reported():
    kill, stop = signal.SIGKILL, signal.SIGSTOP
    sent = [SentSignal(1, kill, 10.0), SentSignal(2, kill, 20.0), SentSignal(3, stop, 30.0)]
    assert missing_reports(sent, EVENTS, ended=60.0) == ["2 workers killed by SIGKILL, 1 reported"]
    assert missing_reports(sent, EVENTS + EVENTS, ended=60.0) == []
    assert missing_reports(sent, EVENTS, ended=21.0) == []  # the training had almost ended at the second signal


def test_restarts_are_described_by_cause_and_activity():
    assert restart_descriptions(EVENTS) == ["killed by SIGKILL in step", "hung for 2 s between two commands"]


# --- growth


def test_the_slope_of_a_line_is_found_exactly():
    found = growth(HOURS, 100 + 3 * HOURS)
    assert found == pytest.approx((3, 3, 3))


def test_the_confidence_bounds_contain_the_true_slope_in_95_percent_of_cases():
    rng = np.random.default_rng(1)
    found = [growth(HOURS, 5 * HOURS + rng.normal(0, 1, len(HOURS))) for _ in range(2_000)]
    assert np.mean([one.low < 5 < one.high for one in found]) == pytest.approx(0.95, abs=0.01)


def samples(**columns):
    flat = {name: np.full(len(HOURS), 5.0) for name in soak.LIMITS} | columns
    return [{"seconds": 3600 * hour, **{name: flat[name][n] for name in flat}} for n, hour in enumerate(HOURS)]


def test_growth_during_the_warm_up_is_allowed_and_later_growth_is_not():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 3, len(HOURS))
    found = soak.growth_of(
        samples(
            **{
                "learner RSS, MB": 500 + noise + 200 * np.minimum(HOURS, 0.1),  # grows only in the warm-up
                "workers RSS, MB": 500 + noise + 10 * HOURS,
                "learner descriptors": 20 + np.floor(5 * HOURS),
            }
        )
    )
    assert soak.growing(found) == ["learner descriptors", "workers RSS, MB"]


# --- the report


@pytest.fixture
def run_chaos(tmp_path, monkeypatch):
    """run_chaos(*arguments, first=, second=): `make chaos` with two trials that return these results."""

    def chaos(*arguments, **results):
        for name in ("first", "second"):
            module = SimpleNamespace(run=lambda *, seed, number, name=name: results[name](seed, number))
            monkeypatch.setitem(sys.modules, f"chaos.{name}", module)
        monkeypatch.setattr(run, "TRIALS", {"first": {"number": 7}, "second": {"number": 8}})
        monkeypatch.setattr(sys, "argv", ["run.py", "--out", str(tmp_path), *arguments])
        return run.main(), json.loads((tmp_path / "reliability.json").read_text())

    return chaos


def test_trials_that_are_left_out_keep_their_previous_results(run_chaos, tmp_path):
    exit_code, first = run_chaos(
        first=lambda seed, number: TrialResult("bytes changed", number, 0, 1.0, (f"seed {seed}",)),
        second=lambda seed, number: TrialResult("kills", number, 0, 1.0),
    )
    assert exit_code == 0
    exit_code, second = run_chaos(
        *("--only", "second", "--seed", "5", "--set", "number=9"),
        second=lambda seed, number: TrialResult("kills", number, 2, 61.0, ("one\nTraceback", f"seed {seed}")),
    )
    assert exit_code == 1
    assert second["first"] == first["first"]
    page = (tmp_path / "reliability.md").read_text()
    assert "| `first` | 7 | bytes changed | 0 | 0:00:01 |" in page
    assert "| `second` | 9 | kills | **2** | 0:01:01 |" in page
    assert "- one\n      Traceback\n- seed 5\n" in page
    assert "seed 5, number 9. " in page


def test_a_trial_without_settings_reports_its_seed_alone(run_chaos):
    _, found = run_chaos("--only", "first", first=lambda seed, number: TrialResult("bytes changed", number, 0, 1.0))
    found["first"]["origin"]["arguments"] = {}
    assert ", seed 1. " in reliability_page(found)


def test_a_trial_that_raises_counts_as_a_failure(run_chaos):
    exit_code, found = run_chaos("--only", "first", first=lambda seed, number: 1 / 0)
    assert exit_code == 1
    assert found["first"]["result"]["failures"] == 1
    assert "ZeroDivisionError" in found["first"]["result"]["notes"][0]


def test_an_unknown_setting_is_refused(run_chaos, capsys):
    with pytest.raises(SystemExit):
        run_chaos("--set", "kils=3")
    assert "no trial takes kils; allowed: number" in capsys.readouterr().err
