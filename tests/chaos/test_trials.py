"""Short forms of the trials that disturb training."""

import csv
import re
import signal

import numpy as np
import pytest

from chaos import learner_kills, rank_failures, rank_stops, same_bits, signal_stops, soak, worker_kills
from chaos.session import Session, recipe

_SETTINGS = {"sampling__num_envs": 4, "sampling__num_workers": 2, "algorithm__num_steps": 16}
SHORT = recipe(
    "a short run", "cartpole", **_SETTINGS,
    training__total_steps=2_560, training__log_every=64, training__checkpoint_every=128,
)  # fmt: skip
LONGER = recipe("a longer run", "cartpole", **_SETTINGS, training__total_steps=10_240, training__log_every=640)
ENDLESS = recipe("an endless run", "cartpole", **_SETTINGS, training__total_steps=10**12, training__log_every=64)


def test_a_killed_learner_resumes_with_the_same_result():
    result = learner_kills.run(seed=3, kills=1, recipes=(SHORT,))
    assert (result.tried, result.failures) == (1, 0), result.notes
    assert result.notes[0].endswith("finished runs: 1 a short run")


def test_killed_workers_do_not_change_the_result():
    result = worker_kills.run(seed=1, kills=1, recipes=(LONGER,))
    assert (result.tried, result.failures) == (1, 0), result.notes
    assert "killed by SIG" in result.notes[0]


@pytest.mark.slow  # tests/training/test_ranks.py kills ranks, too
def test_a_killed_rank_is_started_again_with_the_same_result(monkeypatch):
    monkeypatch.setattr(rank_failures, "_FAULTS", {"killed by SIGKILL": signal.SIGKILL})
    ranks = SHORT._replace(name="two ranks", launcher=rank_failures._LAUNCHER)
    result = rank_failures.run(seed=1, failures=1, recipes=(ranks,))
    assert (result.tried, result.failures) == (1, 0), result.notes
    assert re.search(r"killed by SIGKILL; finished runs: [1-9]\d* two ranks$", result.notes[0])  # one may end before


@pytest.mark.slow  # tests/training/test_ranks.py stops ranks, too
def test_a_rank_that_gets_a_stop_signal_stops_all_and_the_run_is_resumed():
    ranks = SHORT._replace(name="two ranks", launcher=rank_failures._LAUNCHER)
    result = rank_stops.run(seed=1, stops=1, recipes=(ranks,))
    assert (result.tried, result.failures) == (1, 0), result.notes
    assert "finished runs: 1 two ranks" in result.notes[0]


def test_a_signal_stops_a_training_and_an_unexpected_exit_code_is_a_failure(tmp_path, monkeypatch):
    number, to_group, code = signal_stops.STOPS[0]
    monkeypatch.setattr(signal_stops, "STOPS", ((number, to_group, 99),))
    with Session(ENDLESS, tmp_path / "run") as session:
        session.wait_for_rows()
        description, failures = signal_stops.stop(session, np.random.default_rng(1))
    assert description == "SIGINT to the group during training"
    assert failures == [f"{description}: exit code {code}, expected 99"]


def test_a_soak_writes_its_samples_and_finds_nothing_left_behind(tmp_path):
    result = soak.run(minutes=0, out=tmp_path, trained=ENDLESS)
    with (tmp_path / "reliability-soak.csv").open() as file:
        samples = [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
    assert len(samples) == 30
    for sample in samples:
        assert sample["learner RSS, MB"] > sample["learner anonymous, MB"] > 100
        assert sample["workers RSS, MB"] > sample["workers anonymous, MB"] > 1
        assert sample["workers threads"] >= 2
        assert sample["shared memory, MB"] > 0.01
        assert sample["processes"] == 5  # learner, fork server, resource tracker, two workers
    assert (tmp_path / "reliability-soak.png").read_bytes().startswith(b"\x89PNG")
    assert result.tried == len(soak.LIMITS)
    assert not any("exit code" in note or "still alive" in note for note in result.notes)


def test_slow_environments_do_not_change_the_result():
    case = same_bits.CASES[0]
    assert case.slow_env
    result = same_bits.run(cases=(case,), workers=(2,))
    assert (result.tried, result.failures) == (1, 0), result.notes
