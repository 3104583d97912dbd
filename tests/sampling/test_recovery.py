"""Workers that die or hang are restarted, and the results do not change."""

import itertools
import multiprocessing.util
import os
import re
import shutil
import signal
import sys
import threading
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.errors import StoppedError, WorkerError
from paac_cli.events import RestartFailed, WorkerFailure, WorkerRestarted
from paac_cli.sampling import recovery
from paac_cli.sampling.recovery import RestartBudget
from pools import (
    BREAKOUT,
    CART_POLE,
    assert_same_arrays,
    assert_same_play,
    counting_seed,
    open_counting,
    open_pool,
    play,
    play_in_process,
    random_actions,
    record,
    seconds_until_ended,
)
from rude_envs import SPEC, rude
from run_paac import running
from toy_envs import Counting, config_of, spec_of

FATAL = ["SIGKILL", "SIGSEGV", "SIGBUS", "SIGABRT"]


def play_with_kills(pool, actions, number, every):
    """As `play`, but one worker is killed at a random moment of each `every`-th step."""
    rng, records = np.random.default_rng(0), []
    for index, row in enumerate(actions):
        if index % every == every - 1:
            victim = rng.choice(pool.pids)
            if rng.random() < 0.5:  # stopped first, so that it is killed while the pool waits for the step
                os.kill(victim, signal.SIGSTOP)
                threading.Timer(0.05, os.kill, (victim, number)).start()
                if number != signal.SIGKILL:
                    threading.Timer(0.05, os.kill, (victim, signal.SIGCONT)).start()
            else:
                os.kill(victim, number)
        records.append(record(pool.step(row)))
    return records


@pytest.mark.parametrize(
    ("config", "rollout_length", "number"),
    [(BREAKOUT, 4, "SIGKILL"), *((CART_POLE, 1, number) for number in FATAL)],
    ids=["Breakout", *FATAL],
)
def test_killed_workers_are_restarted_and_the_results_do_not_change(config, rollout_length, number):
    actions, events = random_actions(config, 90, num_envs=5), []
    _, expected = play_in_process(config, actions)
    with open_pool(config, num_envs=5, rollout_length=rollout_length, log=events.append) as pool:
        pool.reset()
        records = play_with_kills(pool, actions, getattr(signal, number), every=20)
        assert pool.restarts == 4
        snapshot = pool.snapshot()
    assert_same_play(records, expected)
    assert len(events) == 4
    for event in events:
        assert isinstance(event, WorkerRestarted)
        assert event.failure.cause == f"killed by {number}"
        assert str(event).startswith("Restarted worker")
        assert f"killed by {number}" in str(event)
    with open_pool(config, num_envs=5, num_workers=3, rollout_length=rollout_length) as pool:
        pool.reset()
        play(pool, actions)
        assert_same_arrays(snapshot, pool.snapshot())


def test_a_worker_killed_by_a_signal_without_a_name_is_restarted():
    events = []
    with open_pool(CART_POLE, num_envs=2, log=events.append) as pool:
        pool.reset()
        os.kill(pool.pids[0], signal.SIGRTMIN + 1)
        pool.step(np.zeros(2, int))
    assert [event.failure.cause for event in events] == [f"killed by signal {signal.SIGRTMIN + 1}"]


def test_a_restarted_worker_that_dies_during_the_replay_is_restarted_and_logged_too(monkeypatch):
    actions, events = random_actions(CART_POLE, 30, num_envs=2), []
    _, expected = play_in_process(CART_POLE, actions)
    start, starts = recovery.start_workers, itertools.count()

    def start_and_kill_the_first(tasks, timeouts):
        processes = start(tasks, timeouts)
        if next(starts) == 0:
            os.kill(processes[0].pid, signal.SIGKILL)
        return processes

    with open_pool(CART_POLE, num_envs=2, log=events.append) as pool:
        pool.reset()
        monkeypatch.setattr(recovery, "start_workers", start_and_kill_the_first)
        records = play(pool, actions[:20])
        os.kill(pool.pids[0], signal.SIGSEGV)
        records += play(pool, actions[20:])
        assert pool.restarts == 2
    assert_same_play(records, expected)
    assert [(type(event), event.failure.cause) for event in events] == [
        (RestartFailed, "killed by SIGKILL"),
        (WorkerRestarted, "killed by SIGSEGV"),
    ]


@pytest.mark.parametrize("env_id", ["ALE/Qbert-v5", "ALE/Tetris-v5", "ALE/YarsRevenge-v5"])
@pytest.mark.parametrize("protocol", ["paac2017", "baselines", "machado2018"])
def test_games_whose_emulator_states_cannot_be_restored_are_replayed_exactly(env_id, protocol):
    config, events = EnvConfig(id=env_id, protocol=protocol), []
    actions = random_actions(config, 60, num_envs=2)
    _, expected = play_in_process(config, actions)
    with open_pool(config, num_envs=2, log=events.append) as pool:
        pool.reset()
        records = play(pool, actions[:45])
        os.kill(pool.pids[1], signal.SIGKILL)
        records += play(pool, actions[45:])
    assert_same_play(records, expected)
    assert len(events) == 1


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        ("SIGSTOP", "step"),
        ("spin", "made"),
        ("hold the GIL", "reset"),
        ("hold the GIL", "step"),
        ("wait for a signal", "step"),
    ],
)
def test_a_hung_worker_is_restarted_after_the_timeout(fault, call, tmp_path):
    events = []
    config = config_of(Counting, fault_in=call, fault=fault, fault_once=str(tmp_path / "once"), length=5)
    actions = np.random.default_rng(0).integers(4, size=(12, 3))
    with open_pool(config, spec_of(Counting), log=events.append, worker_timeout=6) as pool:
        pool.reset()
        records = play(pool, actions)
    assert_same_play(records, play_in_process(config_of(Counting, length=5), actions)[1])
    (event,) = events
    assert event.failure.cause == "hung for 6 s"
    assert "; if its environment needs more time, raise sampling.worker_timeout: --set" in str(event)
    assert "of environment" in event.failure.activity or call == "made"
    assert ("_inject_fault" in event.failure.stacks) == (fault != "SIGSTOP")  # a stopped process cannot write stacks


@pytest.mark.timeout(60, method="thread")  # without an end, the pool would wait for the rest of the error
def test_a_worker_that_hangs_while_it_formats_an_error_counts_as_hung():
    events = []
    with open_pool(rude(step=["raise what hangs"]), SPEC, log=events.append, worker_timeout=2, max_restarts=0) as pool:
        pool.reset()
        with pytest.raises(WorkerError, match="hung for 2 s in step 1"):
            pool.step(np.zeros(3, int))


def test_a_hung_worker_does_not_hide_a_dead_one():
    events = []
    with open_counting(ends="never", log=lambda event: events.append((time.monotonic(), event))) as pool:
        pool.reset()
        first, second = pool.pids
        os.kill(first, signal.SIGSTOP)
        os.kill(second, signal.SIGKILL)
        start = time.monotonic()
        threading.Timer(6, os.kill, (first, signal.SIGCONT)).start()
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [1, 1, 1]
    ((when, event),) = events
    assert event.failure.worker == "worker 1 (environments 1-2)"
    assert when - start < 5


@pytest.mark.parametrize("call", ["made", "reset", "step"])
def test_a_worker_may_crash_in_any_call(call, tmp_path):
    events = []
    config = config_of(Counting, fault_in=call, fault="SIGSEGV", fault_once=str(tmp_path / "once"))
    with open_pool(config, spec_of(Counting), log=events.append) as pool:
        pool.reset()
        assert pool.step(np.array([1, 2, 3])).obs[:, 1:].tolist() == [[1, 1], [1, 2], [1, 3]]
    (event,) = events
    assert event.failure.cause == "killed by SIGSEGV"
    assert "_inject_fault" in event.failure.stacks  # of the thread that crashed
    assert "paac_cli/" not in event.failure.stacks


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_a_worker_that_dies_before_the_first_reset_was_in_no_game(delay):
    events = []
    with open_counting(ends="never", log=events.append) as pool:
        time.sleep(delay)
        os.kill(pool.pids[1], signal.SIGKILL)
        pool.reset()
    (event,) = events
    assert (event.failure.worker, event.failure.cause) == ("worker 1 (environments 1-2)", "killed by SIGKILL")
    assert re.fullmatch("while starting|while making environment [12]|between two commands", event.failure.activity)


def test_a_restarted_worker_that_dies_during_the_replay_was_in_no_step(tmp_path):
    """The step that it was to take has not begun."""
    once = tmp_path / "once"
    config, events = config_of(Counting, fault_in="reset", fault="SIGKILL", fault_once=str(once)), []
    once.touch()
    with open_pool(config, spec_of(Counting), log=events.append) as pool:
        pool.reset()
        once.unlink()
        os.kill(pool.pids[1], signal.SIGKILL)
        pool.step(np.zeros(3, int))
    worker, cause = "worker 1 (environments 1-2)", "killed by SIGKILL"
    assert [(type(event), event.failure) for event in events] == [
        (RestartFailed, WorkerFailure(worker, cause, "while replaying game 0 of environment 1")),
        (WorkerRestarted, WorkerFailure(worker, cause, "between two commands")),
    ]


def test_an_environment_that_always_crashes_ends_the_run_with_all_failures():
    config, events = config_of(Counting, fault_in="step", fault="SIGABRT", fault_at_step=2), []
    with open_pool(config, spec_of(Counting), num_workers=1, log=events.append, max_restarts=2) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        with pytest.raises(WorkerError) as caught:
            pool.step(np.array([3, 0, 0]))
    message = str(caught.value)
    assert "3 workers failed within an hour; sampling.max_restarts allows 2 restarts" in message
    activity = f"in step 2 (action 3) of game 0 (seed {counting_seed(0, 0)}) of environment 0"
    assert message.count(f"worker 0 (environments 0-2): killed by SIGABRT {activity}") == 3


@pytest.mark.parametrize(("action", "times"), [("os exit", 2), ("crash", 3)])
@pytest.mark.parametrize("call", ["made", "reset", "step"])
def test_a_worker_that_fails_in_the_same_place_is_not_restarted_for_ever(call, action, times):
    """An exit repeats itself for certain; a crash may be due to a lack of memory."""
    events = []
    with open_pool(rude(**{call: [action]}), SPEC, num_workers=1, log=events.append) as pool:
        with pytest.raises(WorkerError) as caught:
            pool.reset()
            pool.step(np.zeros(3, int))
        assert pool.restarts == times
    cause = "ended with exit code 3" if action == "os exit" else "killed by SIGSEGV"
    place = {"made": "while making environment 0", "reset": "at the start of game 0", "step": "in step 1 (action 0)"}
    message = str(caught.value)
    assert f"worker 0 (environments 0-2) failed {times} times in the same place, and is not restarted" in message
    assert f"{cause} {place[call]}" in message


def test_a_worker_that_is_killed_in_the_same_place_is_restarted_as_often_as_allowed():
    """The kernel may have killed it, for lack of memory, and that may be over in a while."""
    config, events = config_of(Counting, fault_in="step", fault="SIGKILL"), []
    with open_pool(config, spec_of(Counting), num_workers=1, log=events.append, max_restarts=4) as pool:
        pool.reset()
        with pytest.raises(WorkerError, match="5 workers failed within an hour"):
            pool.step(np.zeros(3, int))


def test_restarts_are_counted_over_an_hour(monkeypatch):
    times = iter([0.0, 1800.0, 3700.0, 5500.0, 5600.0])
    monkeypatch.setattr(recovery, "time", SimpleNamespace(monotonic=lambda: next(times)))
    budget, failure = RestartBudget(max_restarts=2), WorkerFailure("worker 0", "killed by SIGKILL", "while starting")
    for _ in range(4):
        budget.spend(failure)
    with pytest.raises(WorkerError, match="3 workers failed within an hour"):
        budget.spend(failure)
    assert budget.restarts == 5


def test_a_worker_that_dies_is_noticed_at_once_even_if_its_child_keeps_the_pipe_open():
    """As with environments that fork a server of their own."""
    events = []
    with open_counting(ends="never", log=events.append, forks_when_made=True) as pool:
        pool.reset()
        os.kill(pool.pids[0], signal.SIGKILL)
        start = time.monotonic()
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [1, 1, 1]
        assert time.monotonic() - start < 5
    assert events[0].failure.cause == "killed by SIGKILL"


def test_the_socket_of_the_fork_server_may_be_deleted():
    """As by a program that cleans /tmp during a long run."""
    events = []
    with open_counting(ends="never", log=events.append) as pool:
        pool.reset()
        shutil.rmtree(multiprocessing.util.get_temp_dir())
        os.kill(pool.pids[0], signal.SIGKILL)
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [1, 1, 1]
    assert len(events) == 1


def test_the_fork_server_may_die():
    events = []
    with open_counting(ends="never", log=events.append) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        pid = pool.pids[0]
        server = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(server, signal.SIGKILL)
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [2, 2, 2]
        os.kill(pid, signal.SIGKILL)
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [3, 3, 3]
    assert len(events) == 1


def test_a_fork_server_that_always_dies_is_reported(monkeypatch):
    def die(process):
        raise EOFError

    monkeypatch.setattr(ForkServerProcess, "start", die)
    with pytest.raises(WorkerError, match="the fork server, which starts the workers, died 5 times in a row"):
        open_counting()


def test_a_run_that_is_asked_to_stop_does_not_wait_for_a_hung_worker():
    stopping = threading.Event()
    with open_counting(ends="never", stopping=stopping.is_set) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        os.kill(pool.pids[0], signal.SIGSTOP)
        stopping.set()
        start = time.monotonic()
        with pytest.raises(StoppedError, match=r"worker 0 .* did not answer after the run was asked to stop"):
            pool.step(np.zeros(3, int))
        assert time.monotonic() - start < 5


def test_the_fork_server_ends_with_the_learner_even_during_its_imports(tmp_path):
    path = tmp_path / "learner.py"
    path.write_text(
        """
import multiprocessing.forkserver, signal

if __name__ == "__main__":
    multiprocessing.forkserver.set_forkserver_preload(["paac_cli.sampling.server_setup", "slow_import"])
    multiprocessing.forkserver.ensure_running()
    print(multiprocessing.forkserver._forkserver._forkserver_pid, flush=True)
    signal.pause()
"""
    )
    # Many short sleeps, as an import executes much code: a signal just before a long one would not interrupt it.
    sleep = "while time.monotonic() < end: time.sleep(0.01)"
    begin = f"import time; end = time.monotonic() + 20; open({str(tmp_path / 'begun')!r}, 'w')"
    (tmp_path / "slow_import.py").write_text(f"{begin}\n{sleep}\n")
    with running(sys.executable, path, env={**os.environ, "PYTHONPATH": str(tmp_path)}) as learner:
        server = int(learner.stdout.readline())
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        learner.kill()
        assert seconds_until_ended([server]) < 2


def test_time_during_which_all_processes_are_stopped_does_not_count_as_hanging(tmp_path):
    """As by Ctrl-Z, in the middle of a step that takes a moment longer afterwards."""
    path = tmp_path / "learner.py"
    path.write_text(
        """
import time
from pathlib import Path
import gymnasium
import numpy as np
from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool
from toy_envs import Counting, spec_of

class Working(Counting):
    def step(self, action):
        while not Path("done").exists():
            time.sleep(0.01)
        return super().step(action)

gymnasium.register("Working-v0", entry_point="learner:Working", disable_env_checker=True)

if __name__ == "__main__":
    sampling = SamplingConfig(num_envs=1, num_workers=1, worker_timeout=4)
    config = EnvConfig(id="learner:Working-v0")
    with WorkerPool(Games(config, 1), spec_of(Counting), sampling, rollout_length=5, log=print) as pool:
        pool.reset()
        print("ready", flush=True)
        pool.step(np.zeros(1, int))
        print("restarts", pool.restarts)
"""
    )
    toys = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with running(sys.executable, path, env=toys, cwd=tmp_path, start_new_session=True) as learner:
        assert learner.stdout.readline() == "ready\n"
        time.sleep(0.5)
        os.killpg(learner.pid, signal.SIGSTOP)
        time.sleep(4.5)
        os.killpg(learner.pid, signal.SIGCONT)
        time.sleep(0.5)
        (tmp_path / "done").touch()
        assert learner.stdout.read() == "restarts 0\n"
