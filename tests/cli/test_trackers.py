"""`training.trackers` in real runs, with trackers of one's own."""

import json
import signal
from pathlib import Path

from chaos.session import Recipe, Session
from run_paac import environment, paac, paac_here
from short_runs import QUICK, final_state, logged_steps

OWN = ("--set", "training.trackers=[tensorboard,own_trackers:JsonLines]")


def lines(run_dir):
    return [json.loads(line) for line in (run_dir / "rows.jsonl").read_text().splitlines()]


def test_a_resumed_run_goes_on_in_the_same_tracked_run(tmp_path):
    run_dir = tmp_path / "run"
    with Session(Recipe("tracked", (*QUICK, *OWN, "--total-steps", "1000000")), run_dir, env=environment()) as session:
        session.wait_for_rows(3)
        session.send(signal.SIGTERM)
        assert session.wait(20) == 143
    end = logged_steps(run_dir)[-1] + 640
    paac_here("train", *QUICK, *OWN, "--total-steps", end, "--run-dir", run_dir)
    begin, again = [line for line in lines(run_dir) if "id" in line]
    assert begin == {"id": begin["id"], "name": "run", "resume_at": 0, "seed": 1}
    assert again["id"] == begin["id"] == (run_dir / "tracking_id").read_text().strip()
    assert again["resume_at"] > 0
    assert [line["steps"] for line in lines(run_dir) if "steps" in line] == logged_steps(run_dir)
    assert [line["outcome"] for line in lines(run_dir) if "outcome" in line] == ["stopped", "finished"]
    assert (run_dir / "tensorboard").is_dir()


def test_trackers_that_fail_or_are_absent_change_nothing_else(tmp_path):
    arguments = [*QUICK, "--total-steps", "640"]
    output = paac_here(
        *("train", *arguments, "--run-dir", tmp_path / "one"),
        *("--set", "training.trackers=[own_trackers:FailsAlways,own_trackers:JsonLines]"),
    ).stdout
    assert output.count("Warning: the tracker own_trackers:FailsAlways failed: OSError: no route to host.") == 1
    assert "Warning: 2 rows missing in the tracker own_trackers:FailsAlways" in output
    paac_here("train", *arguments, "--run-dir", tmp_path / "two", "--set", "training.trackers=[]")
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [
        *("checkpoints", "config.yaml", "events.log", "metrics.csv", "run.json")
    ]
    assert final_state(tmp_path / "one") == final_state(tmp_path / "two")
    assert logged_steps(tmp_path / "one") == logged_steps(tmp_path / "two") == [320, 640]


def test_only_train_imports_trackers_and_reading_a_run_does_not(tmp_path, monkeypatch):
    run_dir, imported = tmp_path / "run", tmp_path / "imported"
    paac_here("train", *QUICK, *OWN, "--total-steps", "640", "--run-dir", run_dir)
    monkeypatch.setenv("IMPORTED", str(imported))
    paac("eval", run_dir, "--episodes", 1)
    paac("plot", run_dir, "--out", tmp_path / "plot.png")
    paac("train", *QUICK, "--total-steps", "704", "--run-dir", run_dir)  # without the tracker, whose code is not needed
    assert not imported.exists()
    paac("train", *QUICK, *OWN, "--total-steps", "768", "--run-dir", run_dir)
    assert imported.exists()


def test_a_tracker_that_cannot_be_imported_is_refused_before_anything_is_written(tmp_path):
    names = "training.trackers=[own_trackers:Typo]"
    errors = paac("train", *QUICK, "--run-dir", tmp_path / "run", "--set", names, code=2).stderr
    assert errors.startswith("Error: training.trackers: own_trackers:Typo cannot be imported: AttributeError")
    errors = paac("train", *QUICK, "--set", "training.trackers=[wandd]", code=2).stderr
    assert "training.trackers.0 = 'wandd'" in errors
    assert "'wandb'" in errors
    assert not (tmp_path / "run").exists()
    assert not Path("runs").exists()
