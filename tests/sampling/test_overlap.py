"""With `sampling.overlap`, two halves of the environments take turns and the results are those of lock-step."""

import itertools
import os
import signal

import numpy as np
import pytest

from paac_cli.events import WorkerRestarted
from paac_cli.sampling.history import UNKNOWN
from paac_cli.sampling.overlap import HALVES
from paac_cli.stopwatch import Stopwatch
from paac_cli.training.interaction import interact
from pools import (
    BREAKOUT,
    CART_POLE,
    ScriptedPlayer,
    assert_same_arrays,
    assert_same_play,
    open_counting,
    open_pool,
    play,
    play_in_process,
    play_overlapped,
    random_actions,
    worker_pids,
)


@pytest.mark.parametrize(
    ("config", "num_workers"),
    [(BREAKOUT, 2), (CART_POLE, 1), (CART_POLE, 2), (CART_POLE, 3)],
    ids=lambda value: getattr(value, "id", value),
)
def test_overlap_gives_the_results_and_snapshots_of_lock_step(config, num_workers):
    actions = random_actions(config, 160, num_envs=6)
    first, expected = play_in_process(config, actions)
    for play_all in (play, play_overlapped):
        with open_pool(config, num_envs=6, num_workers=num_workers, overlap=True) as pool:
            assert np.array_equal(pool.reset().obs, first)
            assert_same_play(play_all(pool, actions), expected)
            snapshot = pool.snapshot()
    with open_pool(config, num_envs=6, num_workers=2) as pool:
        pool.reset()
        play(pool, actions)
        assert_same_arrays(snapshot, pool.snapshot())


@pytest.mark.parametrize("rollout_length", [1, 4])
def test_an_overlapped_rollout_holds_the_steps_of_all_environments(rollout_length):
    actions = np.random.default_rng(0).integers(4, size=(12, 4))
    with open_counting(num_envs=4, overlap=True, rollout_length=rollout_length, ends="truncated") as pool:
        player, observations = ScriptedPlayer(actions), [pool.reset().obs.copy()]
        for _ in range(len(actions) // rollout_length):
            for slot, (step, _) in enumerate(interact(player, pool, rollout_length, Stopwatch()), start=1):
                assert (step.slot, step.envs) == (slot, slice(0, 4))
                observations.append(step.obs.copy())
                for name in ("reward", "terminated", "truncated"):
                    in_rollout = getattr(step.rollout, name)[slot - 1]
                    assert np.array_equal(in_rollout, getattr(step, name))
                    assert np.shares_memory(in_rollout, getattr(step, name))
            assert np.array_equal(step.rollout.obs, observations[-rollout_length - 1 :])
            assert step is pool.latest


def test_the_player_learns_from_a_step_after_the_next_one_was_sent():
    class Recorder:
        def __init__(self):
            self.calls = []

        def act(self, step):
            self.calls.append(("act", step.slot, step.envs.start))
            return np.zeros(2, int)

        def learn(self, step):
            self.calls.append(("learn", step.slot, step.envs.start))
            return len(self.calls)

    with open_counting(num_envs=4, overlap=True, rollout_length=3) as pool:
        pool.reset()
        player = Recorder()
        for start in (0, 3):
            player.calls = []
            results = [learned for _, learned in interact(player, pool, 3, Stopwatch())]
            assert player.calls == [
                *[("act", start, 0), ("act", start, 2)],
                *[("act", 1, 0), ("act", 1, 2), ("learn", 1, 0)],
                *[("act", 2, 0), ("act", 2, 2), ("learn", 2, 0)],
                ("learn", 3, 0),
            ]
            assert results == [5, 8, 9]
        with pytest.raises(AssertionError):
            next(interact(player, pool, 4, Stopwatch()))


def test_each_half_has_workers_of_its_own():
    with open_counting(num_envs=6, num_workers=2, overlap=True) as pool:
        pool.reset()
        pool.step(np.zeros(6, int))
        assert pool.num_workers == len(pool.pids) == len(set(pool.pids)) == 4
        assert sorted(worker_pids()) == sorted(pool.pids)
        assert pool.busy.shape == (4,)
        assert (pool.busy > 0).all()
    assert worker_pids() == []


@pytest.mark.parametrize("config", [BREAKOUT, CART_POLE], ids=lambda config: config.id)
def test_killed_workers_do_not_change_the_results_of_overlap(config, monkeypatch):
    actions, events = random_actions(config, 80, num_envs=6), []
    _, expected = play_in_process(config, actions)
    with open_pool(config, num_envs=6, overlap=True, log=events.append) as pool:
        pool.reset()
        rng, calls = np.random.default_rng(1), itertools.count(1)

        def with_kills(method):
            def call(*arguments):
                result = method(*arguments)
                if next(calls) % 67 == 0:  # while the other half plays, or has played and was not received
                    os.kill(rng.choice(pool.pids), signal.SIGKILL)
                return result

            return call

        monkeypatch.setattr(pool, "send", with_kills(pool.send))
        monkeypatch.setattr(pool, "receive", with_kills(pool.receive))
        assert_same_play(play_overlapped(pool, actions), expected)
        assert pool.restarts == 4
        snapshot = pool.snapshot()
    assert [type(event) for event in events] == [WorkerRestarted] * 4
    with open_pool(config, num_envs=6, num_workers=3) as pool:
        pool.reset()
        play(pool, actions)
        assert_same_arrays(snapshot, pool.snapshot())
        pool.restore(snapshot)
        assert_same_arrays(pool.snapshot(), snapshot)
    with open_pool(config, num_envs=6, num_workers=1, overlap=True) as pool:
        pool.restore(snapshot)
        assert_same_arrays(pool.snapshot(), snapshot)


@pytest.mark.parametrize("rollout_length", [1, 4])
def test_both_halves_go_back_to_the_same_rollout(rollout_length):
    """Whichever half is ahead: the snapshot is of the end of the last rollout that both have completed."""
    first, second = np.random.default_rng(0).integers(4, size=(2, rollout_length, 4))

    def assert_goes_back_to(expected):
        snapshot = pool.snapshot(of_last_rollout=True)
        if rollout_length == 1:  # a half that plays may have overwritten its observations
            overwritten = snapshot["obs_digest"] == UNKNOWN
            snapshot["obs_digest"][overwritten] = expected["obs_digest"][overwritten]
        assert_same_arrays(snapshot, expected)

    with open_counting(num_envs=4, overlap=True, rollout_length=rollout_length) as pool:
        pool.reset()
        play(pool, first)
        before = pool.snapshot()
        for row in second:
            for half in HALVES:
                pool.send(row[pool.latest_of(half).envs], half)
            pool.receive(0)
            assert_goes_back_to(before)  # half 1 has not finished the step
            pool.receive(1)
        after = pool.snapshot()
        assert_goes_back_to(after)
        pool.send(first[0, :2], 0)
        assert_goes_back_to(after)  # half 1 has not begun the rollout
        pool.send(first[0, 2:], 1)
        for half in HALVES:
            pool.receive(half)
        pool.restore(before)
        play(pool, second)
        assert_same_arrays(pool.snapshot(), after)
