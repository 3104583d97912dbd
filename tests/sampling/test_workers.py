"""Worker processes: what they import, how they are scheduled, how their errors are reported and how they end."""

import gc
import itertools
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from paac_cli.config.schema import SamplingConfig
from paac_cli.envs.placeholders import Copy
from paac_cli.errors import WorkerError
from paac_cli.sampling import child_process
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool
from pools import (
    PONG,
    counting_seed,
    is_running,
    open_counting,
    open_pool,
    seconds_until_ended,
    worker_pids,
)
from run_paac import running
from toy_envs import INSPECTED_MODULES, GlobalRandomState, ProcessInfo, config_of, spec_of


def files_in(directory):
    """Names of all entries but directories, which belong to other programs."""
    return {entry.name for entry in Path(directory).iterdir() if not entry.is_dir()}


def test_a_worker_imports_neither_tensorflow_nor_matplotlib_nor_click():
    with open_pool(config_of(ProcessInfo), spec_of(ProcessInfo), num_envs=2) as pool:
        *imported, pid = pool.reset().obs.T.tolist()
        assert len(set(pid)) == 2
        assert os.getpid() not in pid
        imported = dict(zip(INSPECTED_MODULES, imported, strict=True))
        assert imported.pop("paac_cli.sampling.worker") == [1, 1]
        assert all(found == [0, 0] for found in imported.values()), imported


def test_the_libraries_of_tensorflow_are_not_mapped_into_the_workers_of_a_learner_that_uses_it(tmp_path):
    # As with the `paac` command, the main module imports TensorFlow late. Every worker executes the main module again.
    path = tmp_path / "learner.py"
    path.write_text(
        """
import multiprocessing
from pathlib import Path
from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.envs.make import describe_env
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool

def has_tensorflow(process):
    return "tensorflow" in Path(f"/proc/{process}/maps").read_text()

if __name__ == "__main__":
    import tensorflow
    config = EnvConfig(id="ALE/Pong-v5")
    sampling = SamplingConfig(num_envs=2, num_workers=2)
    with WorkerPool(Games(config, 1), describe_env(config), sampling, rollout_length=1, log=print) as pool:
        pool.reset()
        print(has_tensorflow("self"), *(has_tensorflow(child.pid) for child in multiprocessing.active_children()))
"""
    )
    answer = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    assert answer.stdout.split() == ["True", "False", "False"], answer.stderr


def test_global_random_generators_differ_between_workers_and_follow_from_the_seed():
    """All workers are forked from one server, with the same global state."""
    drawn = []
    for _ in range(2):
        with open_pool(config_of(GlobalRandomState), spec_of(GlobalRandomState)) as pool:
            pool.reset()
            drawn.append(pool.step(np.zeros(3, int)).obs[:, 1:].copy())
    assert len(set(drawn[0].flat)) == 6
    assert np.array_equal(*drawn)


def test_global_random_generators_differ_between_ranks():
    drawn = []
    for rank in range(2):
        sampling = SamplingConfig(num_envs=1, num_workers=1)
        config, spec = config_of(GlobalRandomState), spec_of(GlobalRandomState)
        with WorkerPool(Games(config, 1, first=Copy(rank)), spec, sampling, rollout_length=1, log=print) as pool:
            pool.reset()
            drawn.append(tuple(pool.step(np.zeros(1, int)).obs[0, 1:]))
    assert len(set(drawn)) == 2


def scheduler_can_be_set():
    try:
        for policy in (os.SCHED_BATCH, os.SCHED_OTHER):
            os.sched_setscheduler(0, policy, os.sched_param(0))
    except OSError:  # some containers
        return False
    return True


@pytest.mark.skipif(not scheduler_can_be_set(), reason="the system does not allow setting the scheduler")
def test_workers_do_not_preempt_the_learner_and_are_pinned_if_there_are_enough_cores():
    cores = os.sched_getaffinity(0)
    for num_workers in (len(cores), len(cores) + 1):
        with open_counting(num_envs=num_workers, num_workers=num_workers) as pool:
            pool.reset()
            assert {os.sched_getscheduler(pid) for pid in pool.pids} == {os.SCHED_BATCH}
            affinity = [os.sched_getaffinity(pid) for pid in pool.pids]
            pinned = [{core} for core in sorted(cores)]
            assert affinity == (pinned if num_workers == len(cores) else [cores] * num_workers)


# Errors


def test_the_traceback_of_a_failed_environment_reaches_the_learner():
    with open_counting(raises_at_step=2) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        with pytest.raises(WorkerError) as caught:
            pool.step(np.zeros(3, int))
    message = str(caught.value)
    activity = f"in step 2 (action 0) of game 0 (seed {counting_seed(0, 0)}) of environment 0"
    assert message.startswith(f"worker 0 (environments 0-0) failed {activity}:\nTraceback")
    assert "toy_envs.py" in message
    assert message.rstrip().endswith("ValueError: the joystick fell off")


def test_an_error_names_its_environment_also_if_the_worker_has_closed_all_of_them_before_the_learner_reads_it(tmp_path):
    closed = [tmp_path / f"closed-{n}" for n in range(2)]
    (tmp_path / "broken-0").touch()
    script = {
        "raises_while_exists": f"{tmp_path}/broken-{{env_index}}",
        "touch_when_closed": f"{tmp_path}/closed-{{env_index}}",
    }
    with open_counting(num_envs=2, num_workers=1, **script) as pool:
        pool.reset()
        pool.send(np.zeros(2, int))
        while not all(path.exists() for path in closed):
            time.sleep(0.01)
        with pytest.raises(WorkerError, match=r"in step 1 .* of environment 0:"):
            pool.receive()


@pytest.mark.parametrize("error", [ConnectionResetError, BrokenPipeError, EOFError, SystemExit])
def test_an_environment_may_raise_any_error(error):
    """For example, an environment may lose the connection to a process of its own: this is not the learner's end."""
    with open_counting(raises_at_step=1, exception=error.__name__) as pool:
        pool.reset()
        with pytest.raises(WorkerError, match=rf"{error.__name__}: the joystick fell off"):
            pool.step(np.zeros(3, int))


def test_the_traceback_of_an_environment_that_cannot_be_made_reaches_the_first_reset():
    with open_counting(raises_when_made=True) as pool, pytest.raises(WorkerError, match="no coin inserted"):
        pool.reset()


def test_an_error_message_that_is_not_valid_unicode_reaches_the_learner():
    """Such as the name of a file that is not UTF-8."""
    with open_counting(raises_at_step=1, message=r"caf\udce9") as pool:
        pool.reset()
        with pytest.raises(WorkerError, match=r"ValueError: caf\\udce9"):
            pool.step(np.zeros(3, int))


# The end of workers


def test_workers_ignore_an_interrupt_from_the_keyboard():
    with open_counting(ends="never") as pool:
        pool.reset()
        for pid in worker_pids():
            os.kill(pid, signal.SIGINT)
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [1, 1, 1]


def test_close_leaves_no_process_no_shared_memory_and_no_descriptor():
    with open_pool(PONG):  # starts the fork server, which is not closed
        pass
    gc.collect()
    shared, descriptors = files_in("/dev/shm"), len(files_in("/proc/self/fd"))
    with open_pool(PONG) as pool:
        pool.reset()
        pids = worker_pids()
        assert len(pids) == 2
        assert files_in("/dev/shm") <= shared
        pool.close()
        pool.close()
    del pool
    gc.collect()
    assert worker_pids() == []
    assert seconds_until_ended(pids) < 2
    assert files_in("/dev/shm") <= shared
    assert len(files_in("/proc/self/fd")) == descriptors


@pytest.mark.parametrize(("overlap", "started"), [(False, 0), (False, 1), (True, 0), (True, 3)])
def test_a_pool_whose_workers_cannot_all_start_leaves_no_process_and_no_descriptor(overlap, started, monkeypatch):
    """started: workers that start before one fails; with overlap, each half has two."""
    with open_counting():  # starts the fork server
        pass
    gc.collect()
    descriptors, starts, start = len(files_in("/proc/self/fd")), itertools.count(), child_process.start

    def start_some(process):
        if next(starts) == started:
            raise WorkerError("the fork server died")
        start(process)

    monkeypatch.setattr(child_process, "start", start_some)
    with pytest.raises(WorkerError, match="the fork server died"):
        open_counting(num_envs=4, overlap=overlap)
    gc.collect()
    assert worker_pids() == []
    assert len(files_in("/proc/self/fd")) == descriptors


def test_environments_are_closed_with_their_worker(tmp_path):
    """They may own processes, windows or sockets."""
    closed = tmp_path / "closed"
    with open_counting(touch_when_closed=str(closed)) as pool:
        pool.reset()
        assert not closed.exists()
    assert closed.exists()


def test_a_pool_can_be_closed_while_its_workers_load():
    pool = open_pool(PONG)
    pids = worker_pids()
    assert len(pids) == 2
    pool.close()
    assert seconds_until_ended(pids) < 2


@pytest.mark.parametrize("state", ["playing", "stopped"])
def test_workers_of_a_killed_learner_end_within_two_seconds(state, tmp_path):
    path = tmp_path / "learner.py"
    path.write_text(
        """
import multiprocessing, os, signal, sys
import numpy as np
from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.envs.make import describe_env
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool

if __name__ == "__main__":
    config = EnvConfig(id="ALE/Pong-v5")
    sampling = SamplingConfig(num_envs=4, num_workers=2)
    with WorkerPool(Games(config, 1), describe_env(config), sampling, rollout_length=5, log=print) as pool:
        pool.reset()
        pids = [child.pid for child in multiprocessing.active_children()]
        if sys.argv[1] == "stopped":
            os.kill(pids[0], signal.SIGSTOP)
        print(*pids, flush=True)
        while True:
            pool.step(np.zeros(4, int))
"""
    )
    with running(sys.executable, path, state, stderr=subprocess.PIPE) as learner:
        pids = [int(pid) for pid in learner.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_running, pids))
        learner.kill()
        assert seconds_until_ended(pids) < 2
        assert "Traceback" not in learner.stderr.read()


def test_a_learner_with_thousands_of_open_files_can_end_its_workers():
    """`select` cannot wait for descriptors beyond 1023, which a learner with some two hundred workers has."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with open_counting() as pool:
            pool.reset()
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
