"""Runs in which a worker dies, an environment raises or learning diverges."""

import os
import re
import signal
from pathlib import Path

import pytest
from safetensors.numpy import load_file

import toy_envs
from paac_cli.errors import BUG
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.runs.run_record import Status, read_record
from paac_cli.sampling.child import STOP_SIGNALS
from run_paac import environment, paac_here
from run_paac import paac as paac_process
from short_runs import QUICK, checkpoint_names, final_state, logged_steps, metrics_rows, steps_in

# --- workers


def test_a_killed_worker_is_restarted_reported_and_counted(start_training, trained, total_steps, tmp_path):
    session = start_training(tmp_path / "run", "--total-steps", total_steps)
    session.wait_for_rows()
    os.kill(session.workers()[0].pid, signal.SIGKILL)
    assert session.wait(60) == 0
    for text in (session.output, (tmp_path / "run" / "events.log").read_text()):
        assert re.search(r"Restarted worker \d \(environments \d-\d\) in \d+\.\d s: killed by SIGKILL", text)
    assert float(metrics_rows(tmp_path / "run")[-1]["time/restarts"]) == 1
    assert final_state(tmp_path / "run") == final_state(trained)
    expected = [{name: row[name] for name in row if not name.startswith("time/")} for row in metrics_rows(trained)]
    assert [{name: row[name] for name in expected[0]} for row in metrics_rows(tmp_path / "run")] == expected


def test_stop_signals_to_the_workers_have_no_effect(start_training, tmp_path):
    """`timeout`, batch systems and service managers send them to every process; only the learner may react."""
    session = start_training(tmp_path / "run")
    session.wait_for_rows()
    children = session.children()
    assert len(children) == 4  # two workers, the fork server and Python's resource tracker
    for number in STOP_SIGNALS:
        for child in children:
            os.kill(child, number)
    session.wait_for_rows(len(logged_steps(tmp_path / "run")) + 2)
    assert session.children() == children
    session.send(signal.SIGTERM, to_group=True)
    assert (session.wait(10), session.errors) == (143, "")
    assert "Run the same command to resume" in session.output
    assert session.remaining_processes() == []
    assert checkpoint_names(tmp_path / "run")


# --- environments


@pytest.fixture
def counting(monkeypatch):
    """counting(script): arguments of `paac train` for the environment `Counting` with this script."""
    monkeypatch.setenv("PYTHONPATH", str(Path(toy_envs.__file__).parent), prepend=os.pathsep)
    return lambda script: ["--env", "toy_envs:Counting-v0", "--set", f"env.kwargs.script={script}"]


@pytest.fixture
def start_counting(start_training, counting, tmp_path):
    """start_counting(script) -> Session of a training in `tmp_path/run` that has logged a row and not saved yet."""

    def start(script):
        session = start_training(tmp_path / "run", *counting(script), "--set", "training.checkpoint_every=1_000_000")
        session.wait_for_rows()
        return session

    return start


def test_a_run_whose_environment_raises_saves_the_last_complete_rollout(start_counting, counting, train, tmp_path):
    broken = tmp_path / "broken"
    script = f"{{length: 7, raises_while_exists: {broken}}}"
    session = start_counting(script)
    broken.touch()
    assert session.wait(60) == 1
    assert re.search(
        r"Error: worker \d \(environments \d-\d\) failed in step \d \(action \d\) of game \d+ \(seed", session.errors
    )
    assert "ValueError: the joystick fell off" in session.errors
    (saved,) = checkpoint_names(tmp_path / "run")
    assert f"The run is saved at step {steps_in(saved):,}, before this rollout" in session.errors
    assert steps_in(saved) >= logged_steps(tmp_path / "run")[-1] > 0
    assert session.remaining_processes() == []

    broken.unlink()
    more = ["--total-steps", str(steps_in(saved) + 640)]
    train(tmp_path / "run", *counting(script), *more)
    train(tmp_path / "undisturbed", *counting(script), *more)
    assert final_state(tmp_path / "run") == final_state(tmp_path / "undisturbed")


def test_a_run_that_cannot_be_saved_still_reports_the_error_of_its_environment(start_counting, tmp_path):
    session = start_counting(f"{{length: 7, raises_while_exists: {tmp_path / 'broken'}}}")
    (tmp_path / "run" / "checkpoints").touch()  # a file where the directory should be
    (tmp_path / "broken").touch()
    assert session.wait(60) == 1
    assert "ValueError: the joystick fell off" in session.errors
    assert re.search(
        r"The run cannot be saved either: the checkpoint at step [0-9,]+ cannot be written", session.errors
    )


def test_a_stop_does_not_wait_for_a_slow_rollout(start_counting, tmp_path):
    """It would take 16 seconds: 16 steps of two environments per worker. The rollout before it is saved."""
    session = start_counting(f"{{slow_while_exists: {tmp_path / 'slow'}}}")
    (tmp_path / "slow").touch()
    session.wait(1.5)  # now it is within a slow rollout
    session.send(signal.SIGINT)
    assert (session.wait(10), session.errors) == (130, "")
    (saved,) = checkpoint_names(tmp_path / "run")
    assert steps_in(saved) >= logged_steps(tmp_path / "run")[-1]


# --- the learner


def test_a_crash_of_the_learner_in_a_library_shows_where_it_happened(start_training, tmp_path):
    session = start_training(tmp_path / "run")
    session.wait_for_rows()
    session.send(signal.SIGABRT)  # as the C library does when it finds that memory is damaged
    assert session.wait(20) == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in session.errors
    assert 'training/loop.py", line' in session.errors


def test_a_crash_while_tensorflow_is_imported_shows_where_it_happened(tmp_path):
    (tmp_path / "tensorflow.py").write_text("import os\nos.abort()\n")
    others = environment()
    env = {**others, "PYTHONPATH": f"{tmp_path}{os.pathsep}{others['PYTHONPATH']}"}
    done = paac_process("train", *QUICK, "--run-dir", tmp_path / "run", env=env, code=-signal.SIGABRT)
    assert "Fatal Python error: Aborted" in done.stderr
    assert f'{tmp_path}/tensorflow.py", line 2' in done.stderr


def test_an_unexpected_error_is_printed_with_its_traceback_and_has_an_exit_code_of_its_own(trained, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("the driver has failed")

    monkeypatch.setattr("paac_cli.reporting.run_list.list_runs", fail)
    errors = paac_here("runs", trained, code=BUG).stderr
    assert errors.startswith("Traceback (most recent call last)")
    assert errors.endswith("RuntimeError: the driver has failed\n")


# --- stop signals


def test_a_signal_that_comes_while_a_trained_run_is_saved_is_too_late(tmp_path, monkeypatch):
    save = RunDirectory.save

    def save_after_signal(*arguments, **options):
        signal.raise_signal(signal.SIGTERM)
        return save(*arguments, **options)

    monkeypatch.setattr(RunDirectory, "save", save_after_signal)
    output = paac_here("train", *QUICK, "--total-steps", 640, "--run-dir", tmp_path / "run").stdout
    assert f"  paac eval {tmp_path / 'run'}" in output
    assert read_record(tmp_path / "run").status == Status.FINISHED


# --- learning


def test_learning_that_diverges_is_stopped_and_not_saved(paac, tmp_path):
    """After 200 steps, each environment gives a reward whose square is infinite in float32."""
    options = ["training.checkpoint_every=320", f"env.kwargs={{rewards: {[1.0] * 200 + [3e38]}}}"]
    result = paac(
        *("train", *QUICK, "--env", "toy_envs:ScriptedRewards-v0", "--total-steps", 10**5),
        *("--run-dir", tmp_path / "run", *(part for option in options for part in ("--set", option))),
        cwd=Path(toy_envs.__file__).parent,
    )
    assert result.returncode == 1
    assert re.search(r"Error: train/\w+ is (nan|inf|-inf) at step 832\. ", result.stderr)
    assert "Nothing after the last checkpoint is saved" in result.stderr
    assert "Traceback" not in result.stderr
    assert checkpoint_names(tmp_path / "run") == ["step_000000320", "step_000000640"]
    batch = load_file(tmp_path / "run" / "bad_batch_step_000000832.safetensors")
    assert batch["reward"][8].tolist() == [pytest.approx(3e38)] * 4  # 192 steps of each came before these 16
    assert (tmp_path / "run" / "bad_batch_step_000000832.json").exists()
    assert len(logged_steps(tmp_path / "run")) == 2
