"""Runs with environments that do to their process what no environment should."""

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

import rude_envs
from short_runs import QUICK, checkpoint_names


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(rude_envs.__file__).parent), prepend=os.pathsep)


def test_a_run_is_whole_whatever_the_constructor_does_to_its_process(paac, tmp_path):
    """The paths of the commands are relative."""
    rude = "{made: [all, chdir, thread, umask, signals, print], step: [print], close: [raise]}"
    env = ("--env", "rude_envs:Rude-v0", "--set", f"env.kwargs={rude}", "--set", "env.fresh_per_episode=false")
    command = ("train", *QUICK, *env, "--run-dir", "my/run")
    result = paac(*command, "--total-steps", 640, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "saved in my/run\n" in result.stdout
    assert "from Python" not in result.stdout
    assert "from Python\n" in result.stderr
    assert "from a program\n" in result.stderr
    assert result.stdout.count("close() of environments 0, 1, 2, 3 raised ValueError: no more licences") == 1
    assert checkpoint_names(tmp_path / "my" / "run") == ["step_000000640"]
    assert [path.name for path in tmp_path.iterdir()] == ["my"]

    assert "my/run is already trained" in paac(*command, "--total-steps", 640, cwd=tmp_path).stdout
    result = paac("eval", "my/run", "--trust-code", "--json", "--episodes", 1, "--max-steps", 3, cwd=tmp_path)
    assert json.loads(result.stdout)["scores"] == [3.0]
    assert "from C\n" in result.stderr


def test_a_signal_to_all_processes_stops_a_run_whose_simulators_it_ends_too(start_training, tmp_path):
    """As batch systems and service managers send it."""
    options = ["--env", "rude_envs:NeedsSimulator-v0", "--set", f"env.kwargs.pids={tmp_path}/{{env_index}}"]
    options += ["--set", "env.fresh_per_episode=false"]
    session = start_training(tmp_path / "run", *options)
    session.wait_for_rows()
    simulators = [int((tmp_path / str(env)).read_text().split()[-1]) for env in range(4)]
    for process in [*simulators, *session.children(), session.pid]:
        with contextlib.suppress(ProcessLookupError):  # its environment has just raised: the simulator is gone
            os.kill(process, signal.SIGTERM)
    assert session.wait(30) == 143, session.errors
    assert "Run the same command to resume" in session.output
    assert checkpoint_names(tmp_path / "run")
    assert session.remaining_processes() == []
