"""Environments live in processes of their own; whatever they do there does not reach the learner."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import rude_envs
from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.errors import EnvironmentSpecError, WorkerError
from paac_cli.sampling.describe import describe
from pools import open_pool, seconds_until_ended
from rude_envs import SPEC, rude

TESTS = Path(rude_envs.__file__).parent
QUICK = SamplingConfig(worker_timeout=2, close_timeout=1, num_workers=1)


def state_of_this_process():
    signals = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1)]
    mask = os.umask(0)
    os.umask(mask)
    return Path.cwd(), threading.active_count(), signals, mask


@pytest.mark.parametrize("action", ["chdir", "thread", "signals", "umask"])
@pytest.mark.parametrize("call", ["made", "close"])
def test_what_an_environment_does_to_its_process_does_not_reach_the_learner(call, action):
    before = state_of_this_process()
    assert describe(rude(**{call: [action]}), QUICK) == SPEC
    with open_pool(rude(**{call: [action]}), SPEC) as pool:
        assert pool.reset().obs.tolist() == [[0]] * 3
    assert state_of_this_process() == before


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("raise", "rude_envs:Rude-v0 cannot be made: ValueError: no more licences"),
        ("exit", "SystemExit: 3"),
        ("os exit", "rude_envs:Rude-v0 cannot be made: the process that made it ended with exit code 3"),
        ("crash", "killed by SIGSEGV"),
        ("hang", "hung for 2 s; if its environment needs more time, raise sampling.worker_timeout"),
        ("hang in C", "hung for 2 s"),
    ],
)
def test_a_constructor_that_fails_is_one_error(action, message):
    with pytest.raises(EnvironmentSpecError) as caught:
        describe(rude(made=[action]), QUICK)
    assert message in str(caught.value)
    assert "paac_cli/" not in str(caught.value)


@pytest.mark.parametrize("action", ["raise", "exit", "os exit", "crash", "hang", "hang in C"])
def test_the_spec_is_known_whatever_close_does(action):
    assert describe(rude(close=[action]), QUICK) == SPEC


def test_the_environment_is_closed_before_the_spec_is_returned(tmp_path):
    describe(rude(close=["touch", str(tmp_path / "closed")]), QUICK)
    assert (tmp_path / "closed").exists()


@pytest.mark.parametrize("action", ["simulator", "simulator in a session", "daemon", "fork"])
def test_what_a_constructor_starts_ends_before_the_spec_is_returned(action, tmp_path):
    describe(rude(made=[action, str(tmp_path / "pids")]), QUICK)
    assert seconds_until_ended(pids_in(tmp_path / "pids")) < 1


def pids_in(path):
    return [int(line) for line in path.read_text().split()]


def test_an_environment_is_not_even_imported_by_the_learner():
    code = """
import sys
from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.sampling.describe import describe
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool

if __name__ == "__main__":
    for config in (EnvConfig(id="rude_envs:Rude-v0"), EnvConfig(id="CartPole-v1")):
        spec = describe(config, SamplingConfig())
        with WorkerPool(Games(config, 1), spec, SamplingConfig(num_envs=1), rollout_length=1, log=print) as pool:
            pool.reset()
    print([name for name in ("gymnasium", "rude_envs", "ale_py") if name in sys.modules])
"""
    assert run_script(code).stdout == "[]\n"


def run_script(code, **options):
    """Run `code` in an interpreter of its own, which finds the modules of the tests."""
    options = {"capture_output": True, "text": True, "timeout": 60} | options
    options["env"] = {**os.environ, "PYTHONPATH": str(TESTS), **options.get("env", {})}
    return subprocess.run([sys.executable, "-c", code], **options)


# What environments print

PRINTING = """
import sys
from paac_cli.config.schema import SamplingConfig
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool
from rude_envs import SPEC, rude
import numpy as np

if __name__ == "__main__":
    config = rude(made=["print"], step=["print"])
    with WorkerPool(Games(config, 1), SPEC, SamplingConfig(num_envs=1), rollout_length=1, log=print) as pool:
        pool.reset()
        pool.step(np.zeros(1, int))
        print("result")
"""


def test_what_environments_print_goes_to_standard_error():
    result = run_script(PRINTING)
    assert (result.returncode, result.stdout) == (0, "result\n")
    for source in ("Python", "a system call", "C", "a program"):
        assert result.stderr.count(f"from {source}\n") == 2, result.stderr


@pytest.mark.parametrize("stream", ["closed pipe", "full disk"])
def test_environments_may_print_where_nobody_reads(stream):
    if stream == "full disk":
        with Path("/dev/full").open("w") as full:
            result = run_script(PRINTING, capture_output=False, stdout=subprocess.PIPE, stderr=full)
    else:
        reader, writer = os.pipe()
        os.close(reader)
        result = run_script(PRINTING, capture_output=False, stdout=subprocess.PIPE, stderr=writer)
        os.close(writer)
    assert (result.returncode, result.stdout) == (0, "result\n")


# Errors


def test_the_traceback_of_an_environment_begins_with_its_own_code():
    with open_pool(rude(step=["raise"]), SPEC) as pool:
        pool.reset()
        with pytest.raises(WorkerError) as caught:
            pool.step(np.zeros(3, int))
    assert "rude_envs.py" in str(caught.value)
    assert "ValueError: no more licences" in str(caught.value)
    assert "paac_cli/" not in str(caught.value)
    assert "gymnasium/" not in str(caught.value)


def test_an_error_in_the_first_reset_says_so():
    with open_pool(rude(reset=["raise"]), SPEC) as pool, pytest.raises(WorkerError) as caught:
        pool.reset()
    assert "failed at the start of game 0 (seed " in str(caught.value)
    assert "replay" not in str(caught.value)


def test_an_invalid_output_is_reported_without_a_traceback():
    config = EnvConfig(id="toy_envs:ScriptedRewards-v0", kwargs={"rewards": ["nan"]})
    with open_pool(config) as pool:
        pool.reset()
        with pytest.raises(WorkerError) as caught:
            pool.step(np.zeros(3, int))
    assert "Traceback" not in str(caught.value)
    assert str(caught.value).count("\n") == 1
    assert "reward" in str(caught.value)
