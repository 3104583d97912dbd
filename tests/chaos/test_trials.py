"""The trials of `make chaos`, in their quick form."""

import csv

import numpy as np

from chaos import learner_kills, same_bits, signal_stops, soak, worker_kills
from chaos.sittings import Sitting, await_or_give_up, recipe

_SETTINGS = {"sampling__num_envs": 4, "sampling__num_workers": 2, "algorithm__num_steps": 16}
QUICK = recipe(
    "a quick run", "cartpole", **_SETTINGS,
    training__total_steps=2_560, training__log_every=64, training__checkpoint_every=128,
)  # fmt: skip
LONGER = recipe("a longer run", "cartpole", **_SETTINGS, training__total_steps=20_480, training__log_every=640)
ENDLESS = recipe("an endless run", "cartpole", **_SETTINGS, training__total_steps=10**12, training__log_every=64)


def test_a_learner_that_is_killed_loses_nothing():
    tally = learner_kills.run(seed=3, kills=1, recipes=(QUICK,))
    assert (tally.tried, tally.lost) == (1, 0), tally.notes
    assert tally.notes[0].endswith("trainings that came to their end: 1 a quick run")


def test_workers_that_are_killed_change_nothing():
    tally = worker_kills.run(seed=1, kills=1, recipes=(LONGER,))
    assert (tally.tried, tally.lost) == (1, 0), tally.notes
    assert "killed by SIG" in tally.notes[0]


def test_a_signal_is_obeyed_and_another_exit_code_noticed(tmp_path, monkeypatch):
    number, to_all, code = signal_stops.STOPS[0]
    monkeypatch.setattr(signal_stops, "STOPS", ((number, to_all, 99),))
    with Sitting(ENDLESS, tmp_path / "run") as sitting:
        assert await_or_give_up(lambda: "steps 64 of" in sitting.said, 60)
        told, losses = signal_stops.stop(sitting, np.random.default_rng(1))
    assert told == "SIGINT to all while it trained"
    assert losses == [f"{told}: exit code {code}"]


def test_a_soak_leaves_its_samples(tmp_path):
    tally = soak.run(minutes=0, out=tmp_path, what=ENDLESS)
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
    assert tally.tried == len(soak.LIMITS)
    assert not any("exit code" in note or "still alive" in note for note in tally.notes)


def test_workers_that_fall_asleep_change_nothing():
    case = same_bits.CASES[0]
    assert case.drowsy
    tally = same_bits.run(cases=(case,), workers=(2,))
    assert (tally.tried, tally.lost) == (1, 0), tally.notes
