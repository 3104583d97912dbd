"""Runs that are stopped by signals, killed, or lose their terminal."""

import fcntl
import os
import re
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from chaos.session import default_signals
from paac_cli.runs.checkpoint import load_checkpoint
from paac_cli.runs.checkpoint_names import list_policies
from short_runs import QUICK, TOTAL_STEPS, best_policy, checkpoint_names, final_state, logged_steps, steps_in


@pytest.mark.parametrize(
    ("number", "to_group", "code"),
    [(signal.SIGINT, True, 130), (signal.SIGUSR1, False, 75)],
    ids=["Ctrl-C", "SIGUSR1"],
)
def test_a_stopped_run_saves_leaves_nothing_behind_and_resumes_exactly(
    number, to_group, code, start_training, train, trained, tmp_path
):
    session = start_training(tmp_path / "run")
    session.wait_for_rows()
    session.send(number, to_group=to_group)
    assert session.wait(10) == code
    assert session.errors == ""
    assert "Run the same command to resume" in session.output
    assert session.remaining_processes() == []
    newest = checkpoint_names(tmp_path / "run")[-1]
    assert f"{load_checkpoint(tmp_path / 'run' / 'checkpoints' / newest).counters.steps:,} steps" in session.output

    train(tmp_path / "run")
    assert final_state(tmp_path / "run") == final_state(trained)
    assert best_policy(tmp_path / "run") == best_policy(trained)
    assert logged_steps(tmp_path / "run") == logged_steps(trained)


def test_the_checkpoint_of_a_stop_is_not_a_best_policy(start_training, train, invoke, tmp_path):
    """Which policy is the best does not depend on where a run was stopped; until there is one, the newest is played."""
    rarely = ("--set", "training.checkpoint_every=1e9")
    session = start_training(tmp_path / "run", *rarely)
    session.wait_for_rows()
    session.send(signal.SIGTERM)
    assert session.wait(10) == 143
    assert list_policies(tmp_path / "run" / "checkpoints") == []
    (stopped,) = checkpoint_names(tmp_path / "run")
    assert f"checkpoints/{stopped}" in invoke("eval", tmp_path / "run", "--episodes", 1).stdout
    train(tmp_path / "run", *rarely)
    assert best_policy(tmp_path / "run")[0] == f"best_{TOTAL_STEPS:09d}"


def test_deleting_files_of_a_running_training_loses_nothing(start_training, train, trained, paac, tmp_path):
    """Neither a lock file of an earlier version nor the config is what the run is known by."""
    run = tmp_path / "run"
    session = start_training(run)
    session.wait_for_checkpoint()
    for name in (".lock", "events.log"):
        (run / name).unlink(missing_ok=True)
    second = paac("train", "--preset", run / "config.yaml", "--run-dir", run)
    assert second.returncode == 2
    assert "another process is training in" in second.stderr
    before = len(checkpoint_names(run)), checkpoint_names(run)[-1]
    session.wait_until(lambda: checkpoint_names(run)[-1] > before[1])
    session.send(signal.SIGTERM)
    assert session.wait(10) == 143
    assert session.errors == ""
    train(run)
    assert final_state(run) == final_state(trained)


def test_a_killed_run_resumes_from_its_last_checkpoint(start_training, train, trained, tmp_path):
    session = start_training(tmp_path / "run")
    session.wait_for_checkpoint()
    session.wait_for_rows(5)
    session.send(signal.SIGKILL)
    session.wait(10)
    assert session.remaining_processes() == []
    saved = steps_in(checkpoint_names(tmp_path / "run")[-1])

    with (tmp_path / "run" / "metrics.csv").open("a") as file:
        file.write("99999999,1.5,2")  # an incomplete line, as after a power cut
    result = train(tmp_path / "run")
    assert f"Resuming at step {saved:,}" in result.stdout
    assert final_state(tmp_path / "run") == final_state(trained)
    assert best_policy(tmp_path / "run") == best_policy(trained)
    assert logged_steps(tmp_path / "run") == logged_steps(trained)


def test_a_ctrl_c_that_arrives_twice_is_one(start_training, tmp_path):
    """As from `timeout`, which sends it to the process and to its group."""
    session = start_training(tmp_path / "run")
    session.wait_for_rows()
    for _ in range(2):
        session.send(signal.SIGINT)
        time.sleep(0.01)
    assert session.wait(10) == 130
    assert "Run the same command to resume" in session.output
    assert checkpoint_names(tmp_path / "run")


def test_a_second_ctrl_c_exits_at_once(start_training, tmp_path):
    """The first one waits for workers that do not answer."""
    session = start_training(tmp_path / "run")
    session.wait_for_rows()
    for child in session.children():
        os.kill(child, signal.SIGSTOP)
    time.sleep(0.2)  # until the learner waits for them
    session.send(signal.SIGINT)
    assert session.wait(0.5) is None
    session.send(signal.SIGINT)
    assert session.wait(1) == 130
    assert session.errors.startswith("Stopped at once: nothing after the last checkpoint is saved")


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_ctrl_c_while_workers_start_exits_without_waiting_for_tensorflow(delay, start_training, tmp_path):
    session = start_training(tmp_path / "run")
    session.wait_until(session.children)
    time.sleep(delay)
    session.send(signal.SIGINT, to_group=True)
    assert (session.wait(20), session.errors) == (130, "")
    assert "Stopped. Run the same command to start again" in session.output
    assert session.remaining_processes() == []
    assert not (tmp_path / "run").exists()


def test_sigusr1_before_training_has_the_exit_code_for_a_requeue(start_training, tmp_path):
    session = start_training(tmp_path / "run")
    has_handler = 1 << (signal.SIGUSR1 - 1)
    status = Path(f"/proc/{session.pid}/status")
    session.wait_until(lambda: int(re.search(r"SigCgt:\t(\w+)", status.read_text())[1], 16) & has_handler)
    session.send(signal.SIGUSR1)
    assert session.wait(20) == 75
    assert not (tmp_path / "run").exists()


def test_a_second_training_in_the_same_directory_is_refused(start_training, paac, tmp_path):
    session = start_training(tmp_path / "run")
    session.wait_until((tmp_path / "run" / "config.yaml").exists)
    for more in ([], ["--fresh"]):
        result = paac("train", "--preset", tmp_path / "run" / "config.yaml", "--run-dir", tmp_path / "run", *more)
        assert result.returncode == 2
        assert result.stderr == f"Error: another process is training in {tmp_path / 'run'}\n"
    session.send(signal.SIGTERM)
    assert session.wait(20) == 143


# --- terminals and pipes


def test_training_continues_when_the_reader_of_its_output_exits(start_training, tmp_path):
    """As in `paac train | head -1`."""
    session = start_training(tmp_path / "run", stdout=subprocess.PIPE)
    assert "CartPole-v1" in session.process.stdout.readline()
    session.process.stdout.close()
    session.wait_for_checkpoint()
    session.send(signal.SIGTERM, to_group=True)
    session.process.wait(10)
    newest = load_checkpoint(max((tmp_path / "run" / "checkpoints").glob("step_*")))
    assert newest.counters.steps >= 1_280


def test_a_run_whose_terminal_is_closed_saves(start_training, tmp_path):
    """The kernel sends SIGHUP to the whole group, and nothing can be printed any more."""
    ours, theirs = os.openpty()

    def take_terminal():
        default_signals()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    session = start_training(
        *(tmp_path / "run", "--set", "training.log_every=64"),
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    reader = threading.Thread(target=lambda: os.read(ours, 1 << 16))  # a full terminal would block the run
    reader.start()
    session.wait_for_rows()
    reader.join()
    os.close(ours)
    assert session.wait(10) == 129
    assert session.remaining_processes() == []
    newest = checkpoint_names(tmp_path / "run")[-1]
    saved = load_checkpoint(tmp_path / "run" / "checkpoints" / newest).counters.steps
    assert saved == logged_steps(tmp_path / "run")[-1]


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 1>&- 2>&-"])
def test_training_works_with_closed_standard_streams(closed, tmp_path):
    command = [sys.executable, "-m", "paac_cli", "train", *QUICK, "--total-steps", "64", "--run-dir", tmp_path / "run"]
    subprocess.run(["sh", "-c", f"{shlex.join(map(str, command))} {closed}"], check=True, timeout=100)
    assert checkpoint_names(tmp_path / "run") == ["step_000000064"]
