"""Workers die or hang in every way there is, and nobody can tell the difference."""

import itertools
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import pytest
from test_pool import (
    BREAKOUT,
    CART_POLE,
    assert_same_play,
    counting_seed,
    note,
    open_counting,
    open_pool,
    play,
    play_in_turns,
    play_without_pool,
    random_actions,
    seconds_until_gone,
)

from paac_cli.config.schema import EnvConfig
from paac_cli.errors import StoppedError, WorkerError
from paac_cli.sampling import recovery
from toy_envs import Counting, UnseededObservation, UnseededReward, config_of, spec_of

FATAL = ["SIGKILL", "SIGSEGV", "SIGBUS", "SIGABRT"]


def workers():
    """The live worker processes, by index."""
    return sorted(multiprocessing.active_children(), key=lambda child: child.name)


def kill_now_and_then(pool, actions, number, every):
    """As `play`, but a worker is killed at some moment of every so-many-th step."""
    rng, notes = np.random.default_rng(0), []
    for index, row in enumerate(actions):
        if index % every == every - 1:
            victim = rng.choice(workers())
            if rng.random() < 0.5:  # asleep, so that the blow falls while the step is awaited
                os.kill(victim.pid, signal.SIGSTOP)
                threading.Timer(0.05, os.kill, (victim.pid, number)).start()
                if number != signal.SIGKILL:
                    threading.Timer(0.05, os.kill, (victim.pid, signal.SIGCONT)).start()
            else:
                os.kill(victim.pid, number)
        notes.append(note(pool.step(row)))
    return notes


@pytest.mark.parametrize(
    ("config", "rollout_length", "number"),
    [(BREAKOUT, 4, "SIGKILL"), *((CART_POLE, 1, number) for number in FATAL)],
    ids=["Breakout", *FATAL],
)
def test_killed_workers_are_replaced_and_named_and_nothing_else_is_seen(config, rollout_length, number):
    actions, told = random_actions(config, 90, num_envs=5), []
    _, expected = play_without_pool(config, actions)
    with open_pool(config, num_envs=5, rollout_length=rollout_length, tell=told.append) as pool:
        pool.reset()
        notes = kill_now_and_then(pool, actions, getattr(signal, number), every=20)
        assert pool.restarts == 4
    assert_same_play(notes, expected)
    assert len(told) == 4
    assert all(text.startswith("Lost worker") and f"killed by {number}" in text for text in told)


def test_a_successor_that_dies_before_it_has_caught_up_is_told_of_as_well(monkeypatch):
    actions, told = random_actions(CART_POLE, 30, num_envs=2), []
    _, expected = play_without_pool(CART_POLE, actions)
    start, starts = recovery.start_workers, itertools.count()

    def start_and_kill_the_first(tasks, send_timeout):
        processes = start(tasks, send_timeout)
        if next(starts) == 0:
            os.kill(processes[0].pid, signal.SIGKILL)
        return processes

    with open_pool(CART_POLE, num_envs=2, tell=told.append) as pool:
        pool.reset()
        monkeypatch.setattr(recovery, "start_workers", start_and_kill_the_first)
        notes = play(pool, actions[:20])
        os.kill(workers()[0].pid, signal.SIGSEGV)
        notes += play(pool, actions[20:])
        assert pool.restarts == 2
    assert_same_play(notes, expected)
    assert ["SIGSEGV" in told[0], "SIGKILL" in told[1], len(told)] == [True, True, 2]


@pytest.mark.parametrize("env_id", ["ALE/Qbert-v5", "ALE/Tetris-v5", "ALE/YarsRevenge-v5"])
@pytest.mark.parametrize("protocol", ["paac2017", "baselines", "machado2018"])
def test_games_whose_snapshots_break_are_played_again_exactly(env_id, protocol):
    config, told = EnvConfig(id=env_id, protocol=protocol), []
    actions = random_actions(config, 60, num_envs=2)
    _, expected = play_without_pool(config, actions)
    with open_pool(config, num_envs=2, tell=told.append) as pool:
        pool.reset()
        notes = play(pool, actions[:45])
        os.kill(workers()[1].pid, signal.SIGKILL)
        notes += play(pool, actions[45:])
    assert_same_play(notes, expected)
    assert len(told) == 1


def test_halves_that_take_turns_outlive_their_workers(monkeypatch):
    actions, told = random_actions(BREAKOUT, 80, num_envs=6), []
    _, expected = play_without_pool(BREAKOUT, actions)
    with open_pool(BREAKOUT, num_envs=6, overlap=True, tell=told.append) as pool:
        pool.reset()
        rng, calls = np.random.default_rng(1), itertools.count(1)

        def killing(method):
            def call(*arguments):
                answer = method(*arguments)
                if next(calls) % 67 == 0:  # while the other half plays or has played, whose answers are not read yet
                    os.kill(rng.choice(workers()).pid, signal.SIGKILL)
                return answer

            return call

        monkeypatch.setattr(pool, "send", killing(pool.send))
        monkeypatch.setattr(pool, "receive", killing(pool.receive))
        notes = play_in_turns(pool, actions)
    assert_same_play(notes, expected)
    assert len(told) == 4


@pytest.mark.parametrize(
    ("trouble", "place"),
    [("SIGSTOP", "step"), ("spin", "made"), ("hold the GIL", "reset"), ("hold the GIL", "step")],
)
def test_a_worker_that_hangs_is_replaced_at_the_limit(trouble, place, tmp_path):
    told = []
    config = config_of(Counting, fault_in=place, fault=trouble, fault_once=str(tmp_path / "once"), length=5)
    actions = np.random.default_rng(0).integers(4, size=(12, 3))
    with open_pool(config, spec_of(Counting), tell=told.append, worker_timeout=6) as pool:
        pool.reset()
        notes = play(pool, actions)
    assert_same_play(notes, play_without_pool(config_of(Counting, length=5), actions)[1])
    (text,) = told
    assert "hung for 6 s" in text
    assert "environment" in text
    assert ("_inject_fault" in text) == (trouble != "SIGSTOP")  # a stopped process cannot say where it is


def test_one_that_hangs_hides_none_that_is_dead():
    told = []
    with open_counting(ends="never", tell=lambda text: told.append((time.monotonic(), text))) as pool:
        pool.reset()
        first, second = pool.pids
        os.kill(first, signal.SIGSTOP)
        os.kill(second, signal.SIGKILL)
        start = time.monotonic()
        threading.Timer(6, os.kill, (first, signal.SIGCONT)).start()
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [1, 1, 1]
    ((when, text),) = told
    assert "worker 1" in text
    assert when - start < 5


@pytest.mark.parametrize("place", ["made", "reset", "step"])
def test_a_worker_may_die_anywhere(place, tmp_path):
    told = []
    config = config_of(Counting, fault_in=place, fault="SIGSEGV", fault_once=str(tmp_path / "once"))
    with open_pool(config, spec_of(Counting), tell=told.append) as pool:
        pool.reset()
        assert pool.step(np.array([1, 2, 3])).obs[:, 1:].tolist() == [[1, 1], [1, 2], [1, 3]]
    (text,) = told
    assert "killed by SIGSEGV" in text
    assert "_inject_fault" in text  # the stack of the thread that crashed


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_a_worker_that_dies_before_it_is_told_to_play_was_in_no_game(delay):
    told = []
    with open_counting(ends="never", tell=told.append) as pool:
        time.sleep(delay)
        os.kill(pool.pids[1], signal.SIGKILL)
        pool.reset()
    (text,) = told
    where = r"(while it (started|made environment [12])|between two commands)\n"
    assert re.search(rf"worker 1 \(environments 1-2\): killed by SIGKILL {where}", text)


def test_a_successor_that_dies_while_it_plays_again_was_at_no_step(tmp_path):
    """The step that it was to take has not begun."""
    config, told = config_of(Counting, fault_in="reset", fault="SIGKILL", fault_once=str(tmp_path / "once")), []
    (tmp_path / "once").touch()
    with open_pool(config, spec_of(Counting), tell=told.append) as pool:
        pool.reset()
        (tmp_path / "once").unlink()
        os.kill(pool.pids[1], signal.SIGKILL)
        pool.step(np.zeros(3, int))
    assert [
        line.partition("killed by SIGKILL ")[2] for line in told[0].splitlines()[:1] + told[1].splitlines()[:1]
    ] == [
        "between two commands",
        "while it played game 0 of environment 1 again",
    ]


def test_an_environment_that_always_crashes_ends_the_run_with_the_evidence():
    config, told = config_of(Counting, fault_in="step", fault="SIGABRT", fault_at_step=2), []
    with open_pool(config, spec_of(Counting), num_workers=1, tell=told.append, max_restarts=2) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        with pytest.raises(WorkerError) as caught:
            pool.step(np.array([3, 0, 0]))
    message = str(caught.value)
    assert "3 workers were lost within an hour; sampling.max_restarts allows 2" in message
    where = f"in step 2 (action 3) of game 0 (seed {counting_seed(0, 0)}) of environment 0"
    assert message.count(f"worker 0 (environments 0-2): killed by SIGABRT {where}") == 3


def test_a_worker_whose_own_child_keeps_its_pipe_open_is_missed_at_once(tmp_path):
    """As environments that fork a server of their own."""
    told = []
    with open_counting(ends="never", tell=told.append, forks_when_made=True) as pool:
        pool.reset()
        os.kill(workers()[0].pid, signal.SIGKILL)
        start = time.monotonic()
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [1, 1, 1]
        assert time.monotonic() - start < 5
    assert "killed by SIGKILL" in told[0]


def test_the_server_that_forks_workers_may_die():
    told = []
    with open_counting(ends="never", tell=told.append) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        pid = workers()[0].pid
        server = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(server, signal.SIGKILL)
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [2, 2, 2]
        os.kill(pid, signal.SIGKILL)
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [3, 3, 3]
    assert len(told) == 1


def test_a_server_that_always_dies_is_named(monkeypatch):
    def die(process):
        raise EOFError

    monkeypatch.setattr(ForkServerProcess, "start", die)
    with pytest.raises(WorkerError, match="from which workers are forked has died 5 times while it started"):
        open_counting()


# Environments that do not replay


def test_a_game_that_cannot_be_played_again_is_cut_off_where_it_was_last_seen():
    told = []
    with open_pool(config_of(UnseededObservation, length=5), spec_of(UnseededObservation), tell=told.append) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        before = pool.step(np.ones(3, int)).obs.copy()
        os.kill(workers()[1].pid, signal.SIGKILL)  # of environments 1 and 2
        step = pool.step(np.ones(3, int))
        assert step.truncated.tolist() == [False, True, True]
        assert not step.terminated.any()
        assert np.array_equal(step.final_obs[1:], before[1:])
        assert np.array_equal(step.rollout.obs[2], before)
        assert step.reward[1:].tolist() == [0, 0]
        assert step.obs[1:, :2].tolist() == [[counting_seed(n, 1), 0] for n in (1, 2)]
        assert len(step.episodes) == 0  # no score
        pool.step(np.ones(3, int))
        step = pool.step(np.ones(3, int))
        assert step.episodes["env"].tolist() == [0]
        assert pool.snapshot()["episode"].tolist() == [1, 1, 1]
        assert pool.snapshot()["length"].tolist() == [0, 2, 2]
    assert len(told) == 2
    assert told[1].startswith("Approximate: environments [1, 2] did not replay")


def test_a_game_that_pays_something_else_when_played_again_is_cut_off_as_well():
    told = []
    with open_pool(config_of(UnseededReward, length=9), spec_of(UnseededReward), tell=told.append) as pool:
        pool.reset()
        for _ in range(4):
            before = pool.step(np.ones(3, int)).obs.copy()
        os.kill(workers()[0].pid, signal.SIGKILL)
        step = pool.step(np.ones(3, int))
        assert step.truncated.tolist() == [True, False, False]
        assert np.array_equal(step.final_obs[0], before[0])
        assert pool.has_strayed
        snapshot = pool.snapshot()
    with open_pool(config_of(UnseededReward, length=9), spec_of(UnseededReward), tell=told.append) as pool:
        assert np.array_equal(pool.restore(snapshot).obs, step.obs)
        assert pool.step(np.ones(3, int)).truncated.tolist() == [False, True, True]
    assert [text.partition(" did not")[0] for text in told[1:]] == [
        "Approximate: environments [0]",
        "Approximate: environments [1, 2]",
    ]


# What is left of the rollout in which something failed


@pytest.mark.parametrize("overlap", [False, True])
def test_after_a_failure_the_last_whole_rollout_can_be_gone_back_to(overlap):
    """Games of three steps end within the rollout that is taken back."""
    actions = np.random.default_rng(0).integers(4, size=(20, 4))
    _, expected = play_without_pool(config_of(Counting), actions)
    with open_counting(num_envs=4, overlap=overlap) as pool:
        pool.reset()
        play(pool, actions[:8])
        whole = pool.snapshot()
        play(pool, actions[8:11])
        taken_back = pool.snapshot(of_last_rollout=True)
        assert taken_back.keys() == whole.keys()
        assert all(np.array_equal(taken_back[name], whole[name]) for name in whole)
        assert pool.snapshot()["episode"].tolist() != whole["episode"].tolist()
    with open_counting(num_envs=4, overlap=overlap) as pool:
        pool.restore(taken_back)
        assert_same_play(play(pool, actions[8:]), expected[8:])


def test_a_run_that_shall_stop_does_not_wait_for_a_worker_that_hangs():
    stopping = threading.Event()
    with open_counting(ends="never", stopping=stopping.is_set) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        os.kill(workers()[0].pid, signal.SIGSTOP)
        stopping.set()
        start = time.monotonic()
        with pytest.raises(StoppedError):
            pool.step(np.zeros(3, int))
        assert time.monotonic() - start < 5


def test_the_server_that_forks_workers_ends_with_the_learner_in_the_midst_of_its_imports(tmp_path):
    path = tmp_path / "learner.py"
    path.write_text(
        """
import multiprocessing.forkserver, signal

if __name__ == "__main__":
    multiprocessing.forkserver.set_forkserver_preload(["paac_cli.sampling.parent_death", "dozes"])
    multiprocessing.forkserver.ensure_running()
    print(multiprocessing.forkserver._forkserver._forkserver_pid, flush=True)
    signal.pause()
"""
    )
    (tmp_path / "dozes.py").write_text(f"import time; open({str(tmp_path / 'here')!r}, 'w'); time.sleep(20)")
    where = {"env": {**os.environ, "PYTHONPATH": str(tmp_path)}, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, path], **where) as learner:
        server = int(learner.stdout.readline())
        while not (tmp_path / "here").exists():
            time.sleep(0.01)
        learner.kill()
        assert seconds_until_gone([server]) < 2


def test_time_in_which_everybody_was_stopped_is_nobodys_silence(tmp_path):
    """As by Ctrl-Z, in the midst of a step that goes on for a moment afterwards."""
    path = tmp_path / "learner.py"
    path.write_text(
        """
import time
from pathlib import Path
import gymnasium
import numpy as np
from paac_cli.config.schema import EnvConfig, SamplingConfig
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
    with WorkerPool(config, spec_of(Counting), sampling, rollout_length=5, seed=1, tell=print) as pool:
        pool.reset()
        print("ready", flush=True)
        pool.step(np.zeros(1, int))
        print("restarts", pool.restarts)
"""
    )
    toys = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    popen = {"env": toys, "cwd": tmp_path, "stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen([sys.executable, path], **popen) as learner:
        assert learner.stdout.readline() == "ready\n"
        time.sleep(0.5)
        os.killpg(learner.pid, signal.SIGSTOP)
        time.sleep(4.5)
        os.killpg(learner.pid, signal.SIGCONT)
        time.sleep(0.5)
        (tmp_path / "done").touch()
        assert learner.stdout.read() == "restarts 0\n"
