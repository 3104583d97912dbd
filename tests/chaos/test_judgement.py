"""What `make chaos` calls lost, and how it tells."""

import json
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from chaos import run, soak
from chaos.endurance import differences
from chaos.saves import some_checkpoint
from chaos.slope import slope
from chaos.tally import Tally
from chaos.worker_kills import Blow, untold
from paac_cli.runs.checkpoint import save_checkpoint
from paac_cli.runs.run_directory import RunDirectory

HOURS = np.linspace(0, 1, 600)


# --- runs that came to something else


def run_of(directory, weight=1.0, rows=((64, 5), (128, 6))):
    checkpoint, run = some_checkpoint(128)._replace(policy={"w": np.full(3, weight)}), RunDirectory(directory)
    run.create(checkpoint.config, fresh=False)
    save_checkpoint(run.checkpoints, checkpoint, keep=1)
    lines = ["steps,time/fps,train/loss", *(f"{steps},{np.random.rand()},{loss}" for steps, loss in rows)]
    run.metrics_csv.write_text("\n".join([*lines, ""]))
    return directory


@pytest.mark.parametrize(
    ("other", "lost"),
    [
        ({}, []),
        ({"weight": np.nextafter(1, 2)}, ["policy w"]),
        ({"rows": ((64, 5), (128, 7))}, ["metrics.csv"]),
        ({"rows": ((64, 5), (64, 5), (128, 6))}, ["metrics.csv"]),
        ({"rows": ((64, 5),)}, ["metrics.csv"]),
    ],
    ids=["nothing", "a bit", "a number", "a row twice", "a row missing"],
)
def test_a_run_is_the_same_in_every_bit_and_row(other, lost, tmp_path):
    assert differences(run_of(tmp_path / "a", **other), run_of(tmp_path / "b")) == lost


# --- workers that were lost without a word


def test_every_worker_that_was_struck_must_be_told_of():
    kill, stop = signal.SIGKILL, signal.SIGSTOP
    blows = [Blow(1, kill, 10.0), Blow(2, kill, 20.0), Blow(3, stop, 30.0)]
    said = "Lost worker 0: killed by SIGKILL in step 3\nLost worker 1: hung for 2 s between two commands\n"
    assert untold(blows, said, ended=60.0) == ["2 times killed by SIGKILL, told 1 times"]
    assert untold(blows, said + said, ended=60.0) == []
    assert untold(blows, said, ended=21.0) == []  # the second came when it was as good as done


# --- what grows


def test_a_line_is_found_again():
    found = slope(HOURS, 100 + 3 * HOURS)
    assert found == pytest.approx((3, 3, 3))


def test_the_bounds_hold_the_truth_nineteen_times_of_twenty():
    rng = np.random.default_rng(1)
    found = [slope(HOURS, 5 * HOURS + rng.normal(0, 1, len(HOURS))) for _ in range(2_000)]
    assert np.mean([one.low < 5 < one.high for one in found]) == pytest.approx(0.95, abs=0.01)


def samples(**columns):
    flat = {name: np.full(len(HOURS), 5.0) for name in soak.LIMITS} | columns
    return [{"seconds": 3600 * hour, **{name: flat[name][n] for name in flat}} for n, hour in enumerate(HOURS)]


def test_what_grows_is_told_from_what_only_starts():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 3, len(HOURS))
    slopes = soak.slopes_of(
        samples(
            **{
                "learner RSS, MB": 500 + noise + 200 * np.minimum(HOURS, 0.1),  # while it starts
                "workers RSS, MB": 500 + noise + 10 * HOURS,
                "learner descriptors": 20 + np.floor(5 * HOURS),
            }
        )
    )
    assert soak.grown(slopes) == ["learner descriptors", "workers RSS, MB"]


# --- what is told


@pytest.fixture
def trials(tmp_path, monkeypatch):
    """trials(*arguments, first=, second=): `make chaos` with two trials that come to these tallies."""

    def chaos(*arguments, **tallies):
        for name in ("first", "second"):
            module = SimpleNamespace(run=lambda *, seed, number, name=name: tallies[name](seed, number))
            monkeypatch.setitem(sys.modules, f"chaos.{name}", module)
        monkeypatch.setattr(run, "TRIALS", {"first": {"number": 7}, "second": {"number": 8}})
        monkeypatch.setattr(sys, "argv", ["run.py", "--out", str(tmp_path), *arguments])
        return run.main(), json.loads((tmp_path / "reliability.json").read_text())

    return chaos


def test_what_is_not_run_this_time_is_kept(trials, tmp_path):
    exit_code, first = trials(
        first=lambda seed, number: Tally("bytes flipped", number, 0, 1.0, (f"seed {seed}",)),
        second=lambda seed, number: Tally("kills", number, 0, 1.0),
    )
    assert exit_code == 0
    exit_code, second = trials(
        *("--only", "second", "--seed", "5", "--set", "number=9"),
        second=lambda seed, number: Tally("kills", number, 2, 61.0, ("one\nTraceback", f"seed {seed}")),
    )
    assert exit_code == 1
    assert second["first"] == first["first"]
    page = (tmp_path / "reliability.md").read_text()
    assert "| `first` | 7 | bytes flipped | 0 | 0:00:01 |" in page
    assert "| `second` | 9 | kills | **2** | 0:01:01 |" in page
    assert "- one\n      Traceback\n- seed 5\n" in page
    assert "seed 5, number 9" in page


def test_a_trial_that_fails_is_a_loss(trials):
    exit_code, found = trials("--only", "first", first=lambda seed, number: 1 / 0)
    assert exit_code == 1
    assert found["first"]["tally"]["lost"] == 1
    assert "ZeroDivisionError" in found["first"]["tally"]["notes"][0]


def test_a_number_that_no_trial_has_is_refused(trials, capsys):
    with pytest.raises(SystemExit):
        trials("--set", "kils=3")
    assert "no trial has kils" in capsys.readouterr().err
