"""A pool of real workers returns what its environments return when they are stepped in one process."""

from pathlib import Path

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.errors import AlgorithmError
from paac_cli.events import LongGame
from paac_cli.machine import available_cores
from paac_cli.sampling import pool as pool_module
from paac_cli.sampling.partition import split_evenly
from pools import (
    BREAKOUT,
    CART_POLE,
    assert_same_play,
    counting_seed,
    open_counting,
    open_pool,
    play,
    play_in_process,
    random_actions,
    record,
)


@pytest.mark.parametrize(("num_envs", "num_workers"), [(5, 1), (5, 2), (5, 3), (5, 5), (32, 7), (1, 1)])
def test_environments_are_split_into_contiguous_ranges_that_differ_by_at_most_one(num_envs, num_workers):
    parts = split_evenly(range(3, 3 + num_envs), num_workers)
    assert [n for part in parts for n in part] == list(range(3, 3 + num_envs))
    assert len(parts) == num_workers
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("config", [BREAKOUT, CART_POLE], ids=lambda config: config.id)
def test_any_number_of_workers_gives_the_results_of_environments_in_one_process(config):
    actions = random_actions(config, 160, num_envs=5)
    first, expected = play_in_process(config, actions)
    assert any(step["episodes"] for step in expected)
    for num_workers in (2, 5) if config is BREAKOUT else (1, 2, 3, 5):
        with open_pool(config, num_envs=5, num_workers=num_workers) as pool:
            assert np.array_equal(pool.reset().obs, first)
            assert_same_play(play(pool, actions), expected)


def test_auto_starts_one_worker_per_core_but_not_more_than_environments():
    with open_counting(num_envs=1, num_workers="auto") as pool:
        assert pool.num_workers == 1
    with open_counting(num_envs=64, num_workers="auto") as pool:
        assert pool.num_workers == available_cores()


# Slots and rollouts


def test_top_shows_which_process_is_which_worker():
    with open_pool(CART_POLE, num_envs=3, num_workers=2) as pool:
        pool.reset()
        names = [Path(f"/proc/{pid}/comm").read_text() for pid in pool.pids]
    assert names == ["paac worker 0\n", "paac worker 1\n"]


def test_every_row_is_its_own_environment_and_its_own_step():
    with open_counting(num_envs=5, num_workers=3, ends="never") as pool:
        seeds = [counting_seed(n, 0) for n in range(5)]
        step = pool.reset()
        assert step.obs.tolist() == [[seed, 0, 0] for seed in seeds]
        for steps in range(1, 10):
            step = pool.step(np.arange(5) % 4)
            assert step.obs.tolist() == [[seed, steps, steps * (n % 4)] for n, seed in enumerate(seeds)]
            assert step.reward.tolist() == [100 * (n % 4) + steps for n in range(5)]


def test_a_rollout_holds_the_steps_and_begins_where_the_previous_one_ended():
    rollout_length = 4
    with open_counting(length=3, rollout_length=rollout_length) as pool:
        step = pool.reset()
        assert step.slot == 0
        observations = [step.obs.copy()]
        for index, actions in enumerate(np.random.default_rng(0).integers(4, size=(5 * rollout_length, 3))):
            step = pool.step(actions)
            assert step.slot == index % rollout_length + 1
            assert np.array_equal(step.rollout.obs[step.slot - 1], observations[-1])  # also if slot T became slot 0
            observations.append(step.obs.copy())
            for name in ("reward", "terminated", "truncated"):
                in_rollout = getattr(step.rollout, name)[step.slot - 1]
                assert np.array_equal(in_rollout, getattr(step, name))
                assert np.shares_memory(in_rollout, getattr(step, name))
            assert np.shares_memory(step.rollout.obs[step.slot], step.obs)
            if step.slot == rollout_length:
                assert step.rollout.obs.shape == (rollout_length + 1, 3, 3)
                assert step.rollout.reward.shape == (rollout_length, 3)
                assert np.array_equal(step.rollout.obs, observations[-rollout_length - 1 :])


def test_a_rollout_may_have_one_step():
    with open_counting(length=2, rollout_length=1) as pool:
        before = pool.reset().obs.copy()
        for _ in range(5):
            step = pool.step(np.array([1, 2, 3]))
            assert step.slot == 1
            assert np.array_equal(step.rollout.obs[0], before)
            before = step.obs.copy()


def test_latest_is_the_time_step_that_was_returned_last():
    with open_counting() as pool:
        assert pool.reset() is pool.latest
        assert pool.step(np.zeros(3, int)) is pool.latest
        assert pool.restore(pool.snapshot()) is pool.latest


# The end of an episode


def test_where_an_episode_ends_the_observation_is_the_first_of_the_next_one():
    with open_counting(length=3) as pool:
        pool.reset()
        for _ in range(2):
            step = pool.step(np.array([0, 1, 2]))
            assert not step.terminated.any()
            assert len(step.episodes) == 0
        step = pool.step(np.array([0, 1, 2]))
        assert step.obs.tolist() == [[counting_seed(n, 1), 0, 0] for n in range(3)]
        assert step.reward.tolist() == [3, 103, 203]  # of the step that ended the episode
        assert step.terminated.all()
        assert not step.truncated.any()
        assert step.episodes.tolist() == [(0, 0, 6.0, 3), (1, 0, 306.0, 3), (2, 0, 606.0, 3)]
        assert len(pool.step(np.array([0, 0, 0])).episodes) == 0


def test_final_obs_is_the_last_observation_of_a_truncated_episode():
    with open_counting(length=2, ends="truncated") as pool:
        pool.reset()
        pool.step(np.array([1, 2, 3]))
        step = pool.step(np.array([1, 2, 3]))
        assert step.truncated.all()
        assert not step.terminated.any()
        assert step.final_obs.tolist() == [[counting_seed(n, 0), 2, 2 * (n + 1)] for n in range(3)]
        assert step.obs.tolist() == [[counting_seed(n, 1), 0, 0] for n in range(3)]


def test_terminated_and_truncated_are_never_both_true():
    with open_counting(length=2, ends="both") as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        step = pool.step(np.zeros(3, int))
        assert step.terminated.all()
        assert not step.truncated.any()


def test_final_obs_is_written_only_where_truncated():
    config = EnvConfig(id="CartPole-v1", kwargs={"max_episode_steps": 12})
    alternate, fall = [0, 1] * 6, [1] * 12
    actions = np.array([alternate, fall]).T
    with open_pool(config, num_envs=2) as pool:
        pool.reset()
        for row in actions:
            step = pool.step(row)
        assert step.truncated.tolist() == [True, False]
        assert step.final_obs[0].any()
        assert not step.final_obs[1].any()  # still zero, although this pole fell
        assert not np.array_equal(step.final_obs[0], step.obs[0])


# Inactive environments


def test_an_inactive_environment_keeps_its_state():
    with open_counting(ends="never") as pool:
        pool.reset()
        pool.step(np.array([1, 1, 1]))
        for _ in range(6):  # longer than a rollout
            step = pool.step(np.array([1, 3, 1]), active=np.array([True, False, True]))
            assert step.obs[1].tolist() == [counting_seed(1, 0), 1, 1]
        step = pool.step(np.array([1, 1, 1]))
        assert step.obs[:, 1].tolist() == [8, 2, 8]


def test_an_inactive_environment_gives_no_reward_and_ends_no_episode():
    with open_counting(length=2, ends="both", rollout_length=1) as pool:
        pool.reset()
        pool.step(np.array([1, 1, 1]))
        assert pool.step(np.array([1, 1, 1])).terminated.all()
        step = pool.step(np.array([1, 3, 1]), active=np.array([True, False, True]))
        assert step.reward.tolist() == [101, 0, 101]
        assert not step.terminated.any()
        assert len(step.episodes) == 0


def test_reset_of_a_used_pool_starts_the_first_games_again():
    with open_counting(length=2) as pool:
        first = record(pool.reset())
        for _ in range(2):
            step = pool.step(np.array([1, 2, 3]))
        assert len(step.episodes) == 3
        again = pool.reset()
        assert again.slot == 0
        assert len(again.episodes) == 0
        assert not again.terminated.any()
        assert np.array_equal(again.obs, first["obs"])


def test_a_pool_can_play_the_games_of_other_environments():
    """So that an evaluation plays the same games on fewer environments."""
    with open_counting(length=2) as pool:
        for first_seed in (0, 3, 13):
            seeds = [counting_seed(first_seed + env, 0) for env in range(3)]
            assert pool.reset(first_seed).obs[:, 0].tolist() == seeds
            for _ in range(2):
                step = pool.step(np.array([1, 2, 3]))
            assert step.obs[:, 0].tolist() == [counting_seed(first_seed + env, 1) for env in range(3)]


@pytest.mark.parametrize(
    "actions",
    [np.zeros([3, 1], np.int32), np.zeros([2], np.int32), np.int32(0), np.zeros([3], np.float32), None],
    ids=["a further axis", "too few", "one for all", "fractions", "nothing"],
)
def test_actions_of_another_shape_or_kind_are_refused_before_they_are_played(actions):
    with open_pool(CART_POLE, num_envs=3, num_workers=1) as pool:
        pool.reset()
        with pytest.raises(AlgorithmError, match=r"expected shape \(3,\) and dtype int32"):
            pool.step(actions)
        assert pool.step(np.ones([3], np.int64)).slot == 1


def test_a_very_long_game_is_reported_once(monkeypatch):
    monkeypatch.setattr(pool_module, "LONG_GAME", 10)
    events = []
    with open_counting(ends="never", rollout_length=4, log=events.append) as pool:
        pool.reset()
        for step in range(30):
            assert events == ([LongGame(env=1, steps=12)] if step > 12 else [])
            pool.step(np.zeros(3, int), active=np.array([step > 1, True, step > 2]))
    assert "environment 1 has played 12 steps of one game" in str(events[0])
    assert "max_episode_steps" in str(events[0])
