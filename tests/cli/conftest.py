"""Runs of `paac` as a user starts them, and a trained run directory that the tests share."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from chaos.sittings import hear_signals

#: CartPole in seconds. One rollout is 4 environments * 16 steps = 64 steps; all below are multiples.
QUICK = [
    *("--preset", "cartpole", "--num-envs", "4", "--num-workers", "2"),
    *("--set", "training.stop_when=null", "--set", "training.keep_checkpoints=2"),
    *("--set", "algorithm.lr_anneal_steps=0", "--set", "algorithm.num_steps=16"),
    *("--set", "training.log_every=320", "--set", "training.checkpoint_every=1280"),
]
TOTAL_STEPS = 6_400


def _environment():
    """Without what earlier commands in this process have set to keep TensorFlow quiet."""
    return {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}


@pytest.fixture(scope="session")
def total_steps():
    return TOTAL_STEPS


@pytest.fixture(scope="session")
def paac():
    """paac(*args, cwd=None): a real process, run to its end."""

    def run(*args, cwd=None):
        command = [sys.executable, "-m", "paac_cli", *map(str, args)]
        return subprocess.run(
            command, cwd=cwd, env=_environment(), capture_output=True, text=True, timeout=200, check=False
        )

    return run


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """invoke(*args): in this process, in an empty directory; nothing but a foreseen exit may come out."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        from paac_cli.cli.main import main

        result = CliRunner().invoke(main, list(map(str, args)))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture(scope="session")
def train(paac):
    """train(run_dir, *more): a quick CartPole run of TOTAL_STEPS; must succeed."""

    def run(run_dir, *more):
        result = paac("train", *QUICK, "--total-steps", TOTAL_STEPS, "--run-dir", run_dir, *more)
        assert result.returncode == 0, result.stderr
        return result

    return run


@pytest.fixture(scope="session")
def trained(train, tmp_path_factory):
    """A finished run directory. Look, do not touch: `trained_copy` is for that."""
    run_dir = tmp_path_factory.mktemp("trained") / "run"
    train(run_dir)
    return run_dir


@pytest.fixture
def trained_copy(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "copy"))


class Sitting:
    """A training that goes on in the background, in a session of its own, as under a terminal."""

    def __init__(self, run_dir, *more, **popen):
        self.run_dir = run_dir
        command = [sys.executable, "-m", "paac_cli", "train", *QUICK, "--run-dir", run_dir, "--total-steps", 10**7]
        self.process = subprocess.Popen(
            [*map(str, command), *more],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": hear_signals} | popen,
            text=True,
            env=_environment(),
            start_new_session=True,
        )

    def wait_until(self, condition):
        deadline = time.monotonic() + 100
        while not condition():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline, "the training does not get there"
            time.sleep(0.005)

    def wait_for_rows(self, count=1):
        """Until so many rows of metrics have been written."""
        csv = self.run_dir / "metrics.csv"
        self.wait_until(lambda: csv.exists() and csv.read_text().count("\n") > count)

    def wait_for_children(self):
        """Until the first process has been started on the way to the workers."""
        self.wait_until(lambda: len(_session(self.process.pid)) > 1)

    def wait_for_checkpoint(self):
        self.wait_until(lambda: any(self.run_dir.glob("checkpoints/step_*")))

    def workers(self):
        """Process ids of the workers: forked by the server that this training has started."""
        parents = {pid: parent for pid, parent, _ in _processes(self.process.pid)}
        return [pid for pid, parent in parents.items() if parents.get(parent) == self.process.pid]

    def signal_group(self, number):
        """As a terminal does for Ctrl-C."""
        os.killpg(self.process.pid, number)

    def end(self, timeout):
        """Exit code, standard output and standard error, once it has ended by itself."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err

    def children(self):
        """The ids of all processes of the session but the first."""
        return _session(self.process.pid).keys() - {self.process.pid}

    def alive(self):
        """Command lines of all processes of the session that still live, after a moment to leave."""
        deadline = time.monotonic() + 5
        while (found := _session(self.process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return list(found.values())


def _session(session):
    """Process id -> command line."""
    return {pid: command for pid, _, command in _processes(session)}


def _processes(session):
    """(process id, its parent's, command line) of every live process of a session."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent, _, its_session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                command = (process / "cmdline").read_text().replace("\0", " ")
                found.append((int(process.name), int(parent), command))
    return found


@pytest.fixture
def start_training():
    """start_training(run_dir, *more, **popen) -> Sitting; whatever is left of it is killed after the test."""
    sittings = []

    def start(run_dir, *more, **popen):
        sittings.append(Sitting(run_dir, *more, **popen))
        return sittings[-1]

    yield start
    for sitting in sittings:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(sitting.process.pid, 9)
        sitting.process.communicate()
