"""Environments may start processes and programs; all of them end with their worker and with the learner."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import rude_envs
from pools import is_running, open_pool, seconds_until_ended
from rude_envs import SPEC, rude
from run_paac import running

STARTS = ["simulator", "simulator in a session", "daemon", "fork", "fork in a session"]
TESTS = Path(rude_envs.__file__).parent


def pids_in(path):
    return [int(line) for line in path.read_text().split()]


@pytest.mark.parametrize("action", ["process", "fork pool", "spawn pool", "forkserver pool"])
def test_environments_may_use_multiprocessing(action):
    with open_pool(rude(made=[action]), SPEC, num_envs=1, num_workers=1) as pool:
        assert pool.reset().obs.tolist() == [[0]]


def test_an_environment_can_end_its_simulator_with_sigterm(tmp_path):
    with open_pool(rude(reset=["terminate", str(tmp_path / "pids")]), SPEC, num_envs=1, num_workers=1) as pool:
        pool.reset()


@pytest.mark.parametrize("action", STARTS)
def test_programs_end_with_the_pool(action, tmp_path):
    with open_pool(rude(reset=[action, str(tmp_path / "pids")]), SPEC, num_envs=1, num_workers=1) as pool:
        pool.reset()
        (program,) = pids_in(tmp_path / "pids")
        assert is_running(program)
    if action != "fork in a session":  # one without a mark and in no group; it ends with the fork server
        assert seconds_until_ended([program]) < 1
    else:
        os.kill(program, signal.SIGKILL)


@pytest.mark.parametrize("action", ["simulator", "simulator in a session", "daemon", "fork"])
def test_programs_end_with_a_killed_worker_and_those_of_other_workers_live_on(action, tmp_path):
    config, events = rude(reset=[action, str(tmp_path / "{worker_index}")]), []
    with open_pool(config, SPEC, num_envs=2, log=events.append) as pool:
        pool.reset()
        (program,), (other,) = (pids_in(tmp_path / str(worker)) for worker in range(2))
        os.kill(pool.pids[0], signal.SIGKILL)
        pool.step(np.zeros(2, int))
        assert seconds_until_ended([program]) < 1
        assert is_running(other)
        _, restarted = pids_in(tmp_path / "0")  # the new worker replays the reset
        assert is_running(restarted)
    assert seconds_until_ended([other, restarted]) < 1
    assert len(events) == 1


LEARNER = """
import os, signal, sys
import numpy as np
from paac_cli.config.schema import SamplingConfig
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool
from rude_envs import SPEC, rude

if __name__ == "__main__":
    config = rude(reset=sys.argv[1:])
    sampling = SamplingConfig(num_envs=2, num_workers=2)
    with WorkerPool(Games(config, 1), SPEC, sampling, rollout_length=1, log=print) as pool:
        pool.reset()
        print(*pool.pids, flush=True)
        while True:
            pool.step(np.zeros(2, int))
"""


@pytest.mark.parametrize("whom", ["learner", "group"])
@pytest.mark.parametrize("action", STARTS)
def test_programs_end_with_a_killed_learner(action, whom, tmp_path):
    """Also if the whole process group of the learner is killed."""
    command = [sys.executable, "-c", LEARNER, action, str(tmp_path / "{worker_index}")]
    variables = {**os.environ, "PYTHONPATH": str(TESTS), "TMPDIR": str(tmp_path)}
    with running(*command, env=variables, start_new_session=True, stderr=subprocess.PIPE) as learner:
        pids = [int(pid) for pid in learner.stdout.readline().split()]
        pids += [pid for worker in "01" for pid in pids_in(tmp_path / worker)]
        assert len(pids) == 4
        (os.kill if whom == "learner" else os.killpg)(learner.pid, signal.SIGKILL)
        assert seconds_until_ended(pids) < 2
        assert learner.stderr.read() == ""
    assert wait_until(lambda: not list(tmp_path.glob("pymp-*"))), "the directory of the fork server's socket remains"


def wait_until(condition, seconds=2.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_each_worker_leads_a_process_group():
    """So an environment that kills its group kills itself only."""
    with open_pool(rude(), SPEC) as pool:
        pool.reset()
        pids = pool.pids
        assert [os.getpgid(pid) for pid in pids] == pids
        assert {os.getsid(pid) for pid in pids} == {os.getsid(0)}
