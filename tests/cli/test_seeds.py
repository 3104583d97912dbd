"""`paac train --seeds` trains a group of runs, and `paac runs` lists runs."""

import json
import signal
import subprocess
import sys
import time

import pytest

from chaos.session import default_signals
from paac_cli.reporting.run_list import format_runs
from paac_cli.runs.run_record import Status
from paac_cli.runs.saved_run import SavedRun
from paac_cli.training.jobs import Jobs
from run_paac import running
from short_runs import QUICK, checkpoint_names, final_state


def group_command(group, *more):
    return ["train", *QUICK, "--total-steps", "1280", "--run-dir", group, *more]


def statuses(output):
    """Name -> status, in the table of a command's output."""
    lines = [line.split() for line in output.splitlines()]
    return {line[0]: line[1] for line in lines if line and line[0].removeprefix("seed").isdecimal()}


def test_a_failing_seed_does_not_end_the_others_and_the_same_command_resumes(paac, tmp_path):
    group = tmp_path / "group"
    (group / "seed1").mkdir(parents=True)
    (group / "seed1" / "notes.txt").touch()
    command = group_command(group, "--seeds", "1-3", "--jobs", "2")
    first = paac(*command)
    assert first.returncode == 2, first.stderr
    assert "seed 1: Error: " in first.stderr
    assert "is neither empty nor a run directory" in first.stderr
    assert statuses(first.stdout) == {"seed1": "unreadable", "seed2": "finished", "seed3": "finished"}
    assert "Not all seeds have finished. Resolve the errors above; then the same command resumes" in first.stdout
    state = final_state(group / "seed2")

    (group / "seed1" / "notes.txt").unlink()
    second = paac(*command)
    assert second.returncode == 0, second.stderr
    assert f"seed 2: {group / 'seed2'} is already trained" in second.stderr
    assert statuses(second.stdout) == {"seed1": "finished", "seed2": "finished", "seed3": "finished"}
    assert final_state(group / "seed2") == state
    assert [SavedRun(group / f"seed{seed}").config.seed for seed in (1, 2, 3)] == [1, 2, 3]


def test_a_run_cannot_hold_a_group_of_runs(trained, invoke):
    result = invoke(*group_command(trained, "--seeds", "1-2"))
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {trained} is a run, so it cannot hold the runs of several seeds; use another --run-dir\n",
    )
    assert not (trained / "seed1").exists()


def test_a_group_is_not_one_run(trained, invoke, tmp_path):
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "seed1").symlink_to(trained)
    result = invoke("eval", tmp_path / "group")
    assert f"group holds 1 run; give one of them, e.g. {tmp_path / 'group' / 'seed1'}\n" in result.stderr


def test_a_run_of_a_group_is_the_run_of_that_seed(paac, tmp_path):
    assert paac(*group_command(tmp_path / "group", "--seeds", "2")).returncode == 0
    assert paac(*group_command(tmp_path / "alone", "--seed", "2")).returncode == 0
    assert final_state(tmp_path / "group" / "seed2") == final_state(tmp_path / "alone")


def test_a_stop_signal_stops_all_and_starts_no_more(tmp_path):
    group = tmp_path / "group"
    command = [sys.executable, "-m", "paac_cli", *group_command(group, "--seeds", "1-3", "--jobs", "2")]
    command += ["--total-steps", "10_000_000"]
    with running(*command, stderr=subprocess.PIPE, preexec_fn=default_signals) as training:
        deadline = time.monotonic() + 60
        while not all(checkpoint_names(group / f"seed{seed}") for seed in (1, 2)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        training.send_signal(signal.SIGINT)
        output, errors = training.communicate(timeout=60)
    assert training.returncode == 130
    assert "Traceback" not in errors
    assert statuses(output) == {"seed1": "stopped", "seed2": "stopped"}
    assert not (group / "seed3").exists()


def test_a_stop_signal_that_comes_after_the_last_step_changes_nothing():
    with Jobs(1, print) as jobs:
        jobs.run_all([("seed 1", lambda: ["--version"])])
        jobs.stop(signal.SIGINT)
        assert jobs.exit_code == 0
        jobs.run_all([("seed 2", lambda: ["--version"])])  # is not started any more
        assert jobs.exit_code == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "3-1"], "is not a list of seeds"),
        (["--seeds", "1,x"], "is not a list of seeds"),
        (["--seeds", "1-2000"], "at most 1,000"),
        (["--seeds", "1-600,700-1200"], "at most 1,000"),
        (["--seeds", "1", "--seed", "2"], "--seeds cannot be combined with --seed"),
        (["--seeds", "1-2", "--log-json"], "--seeds cannot be combined with --seed, --cluster or --log-json"),
        (["--jobs", "2"], "--jobs is for --seeds"),
    ],
)
def test_wrong_seeds_are_refused(arguments, message, invoke):
    result = invoke("train", "--preset", "cartpole", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_seeds_are_not_trained_in_ranks(invoke, monkeypatch):
    result = invoke("launch", "--ranks", "2", "--", "train", "--preset", "cartpole", "--seeds=1-2")
    assert result.exit_code == 2
    assert "paac launch trains one run; `paac train --seeds` trains several" in result.stderr
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}')
    result = invoke("train", "--preset", "cartpole", "--seeds", "1-2")
    assert result.exit_code == 2
    assert "--seeds trains each seed in one process, but TF_CONFIG or Slurm starts several" in result.stderr
    result = invoke("tune", "space.yaml", "--preset", "cartpole")
    assert "paac tune trains each trial in one process, but TF_CONFIG or Slurm starts several" in result.stderr


@pytest.mark.parametrize("command", [["train", "--seeds", "1"], ["launch", "--ranks", "1", "--", "train"]])
def test_a_traceback_is_shown_for_processes_that_a_command_starts(command, paac, tmp_path):
    options = ["--preset", "cartpole", "--set", "env.id=foo-v0", "--run-dir", tmp_path / "run"]
    result = paac("--traceback", *command, *options)
    assert result.returncode != 0
    assert "Traceback" in result.stderr


def test_the_reason_of_a_failure_is_one_line_without_its_traceback():
    reason = "worker 0 failed:\nTraceback (most recent call last):\n  File 'x.py', line 3\n    y\nKeyError: 8\nSaved"
    table = format_runs([{"run": "seed1", "error": reason}], None)
    assert table.splitlines()[-1] == "seed1: worker 0 failed: KeyError: 8. Saved"


def test_runs_of_all_kinds_are_listed(trained, invoke, tmp_path):
    (tmp_path / "runs" / "group").mkdir(parents=True)
    for name in ("group/seed2", "group/seed10"):
        (tmp_path / "runs" / name).symlink_to(trained)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "config.yaml").write_text("env: {id: [}")
    (tmp_path / "runs" / "garbled").mkdir()
    (tmp_path / "runs" / "garbled" / "config.yaml").write_text((trained / "config.yaml").read_text())
    (tmp_path / "runs" / "garbled" / "metrics.csv").write_text(
        "steps,rollout/ep_rew_mean,time/time_elapsed\n64,x,inf\n"
    )
    listed = json.loads(invoke("runs", "--json").stdout)["runs"]
    assert [run["run"] for run in listed] == ["broken", "garbled", "group/seed2", "group/seed10"]
    assert (listed[1]["steps"], listed[1]["score"]) == (64, None)
    assert "invalid YAML" in listed[0]["error"]
    run = listed[2]
    assert (run["status"], run["preset"], run["environment"], run["algorithm"]) == (
        Status.FINISHED,
        "cartpole",
        "CartPole-v1",
        "paac",
    )
    assert run["steps"] == run["total_steps"] > 0
    assert run["score"] == SavedRun(trained).best.score
    assert run["bytes"] > 10_000
    text = invoke("runs").stdout
    names = [line.split()[0] for line in text.splitlines()[:5]]
    assert names == ["run", "broken", "garbled", "group/seed2", "group/seed10"]
    assert "broken: " in text.splitlines()[-1]


def test_where_there_is_no_run_the_list_says_how_to_make_one(invoke):
    result = invoke("runs")
    assert result.exit_code == 2
    assert "runs holds no run: it does not exist; `paac train --preset pong` makes one" in result.stderr
