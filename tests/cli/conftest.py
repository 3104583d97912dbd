"""Fixtures that run `paac` as a user does, and a trained run directory that the tests share."""

import contextlib
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from chaos.session import Recipe, Session
from run_paac import environment, paac_here
from short_runs import QUICK, TOTAL_STEPS


@pytest.fixture(scope="session")
def total_steps():
    return TOTAL_STEPS


@pytest.fixture(scope="session")
def paac():
    """paac(*args, cwd=None): runs a process to its end."""

    def run(*args, cwd=None):
        command = [sys.executable, "-m", "paac_cli", *map(str, args)]
        return subprocess.run(
            command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=200, check=False
        )

    return run


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """invoke(*args): runs a command in this process, in an empty directory. Any exception but SystemExit fails."""
    monkeypatch.chdir(tmp_path)

    return partial(paac_here, code=None)


@pytest.fixture(scope="session")
def train():
    """train(run_dir, *more): a short CartPole run of TOTAL_STEPS in this process, which must succeed."""

    def run(run_dir, *more):
        return paac_here("train", *QUICK, "--total-steps", TOTAL_STEPS, "--run-dir", run_dir, *more)

    return run


@pytest.fixture(scope="session")
def trained(train, tmp_path_factory):
    """A finished run directory that no test may change; `trained_copy` is a copy for tests that do."""
    run_dir = tmp_path_factory.mktemp("trained") / "run"
    train(run_dir)
    return run_dir


@pytest.fixture
def trained_copy(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "copy"))


@pytest.fixture
def start_training():
    """start_training(run_dir, *more, **popen) -> Session of a CartPole run in the background, with a practically
    unlimited number of steps. Its processes are killed after the test.
    """
    with contextlib.ExitStack() as sessions:

        def start(run_dir, *more, **popen):
            recipe = Recipe("CartPole", (*QUICK, "--total-steps", str(10**7), *map(str, more)))
            return sessions.enter_context(Session(recipe, run_dir, **{"env": environment()} | popen))

        yield start
