"""Environments that do not replay: their games are truncated and reported, and the run continues."""

import os
import signal

import numpy as np

from paac_cli.events import ReplayDiverged, WorkerRestarted
from pools import counting_seed, open_pool
from toy_envs import UnseededObservation, UnseededReward, config_of, spec_of


def test_a_game_whose_observation_diverges_is_truncated_at_the_last_observation_before():
    events = []
    with open_pool(config_of(UnseededObservation, length=5), spec_of(UnseededObservation), log=events.append) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        before = pool.step(np.ones(3, int)).obs.copy()
        os.kill(pool.pids[1], signal.SIGKILL)  # environments 1 and 2
        step = pool.step(np.ones(3, int))
        assert step.truncated.tolist() == [False, True, True]
        assert not step.terminated.any()
        assert np.array_equal(step.final_obs[1:], before[1:])
        assert np.array_equal(step.rollout.obs[2], before)
        assert step.reward[1:].tolist() == [0, 0]
        assert step.obs[1:, :2].tolist() == [[counting_seed(n, 1), 0] for n in (1, 2)]
        assert len(step.episodes) == 0  # a truncated game has no score
        pool.step(np.ones(3, int))
        step = pool.step(np.ones(3, int))
        assert step.episodes["env"].tolist() == [0]
        assert pool.snapshot()["episode"].tolist() == [1, 1, 1]
        assert pool.snapshot()["length"].tolist() == [0, 2, 2]
    assert isinstance(events[0], WorkerRestarted)
    assert events[1:] == [ReplayDiverged(envs=(1, 2))]
    assert str(events[1]).startswith("Approximate: environments [1, 2] diverged on replay")


def test_a_game_whose_rewards_diverge_is_truncated():
    events = []
    with open_pool(config_of(UnseededReward, length=9), spec_of(UnseededReward), log=events.append) as pool:
        pool.reset()
        for _ in range(4):
            before = pool.step(np.ones(3, int)).obs.copy()
        os.kill(pool.pids[0], signal.SIGKILL)
        step = pool.step(np.ones(3, int))
        assert step.truncated.tolist() == [True, False, False]
        assert np.array_equal(step.final_obs[0], before[0])
        assert pool.has_diverged
        snapshot = pool.snapshot()
    with open_pool(config_of(UnseededReward, length=9), spec_of(UnseededReward), log=events.append) as pool:
        assert np.array_equal(pool.restore(snapshot).obs, step.obs)
        assert pool.step(np.ones(3, int)).truncated.tolist() == [False, True, True]
    assert events[1:] == [ReplayDiverged(envs=(0,)), ReplayDiverged(envs=(1, 2))]


def test_environments_of_both_halves_that_diverge_are_reported_by_their_indices():
    events, config, spec = [], config_of(UnseededReward, length=9), spec_of(UnseededReward)
    with open_pool(config, spec, num_envs=4, num_workers=1, overlap=True, log=events.append) as pool:
        pool.reset()
        pool.step(np.ones(4, int))
        os.kill(pool.pids[1], signal.SIGKILL)
        step = pool.step(np.ones(4, int))
        assert step.truncated.tolist() == [False, False, True, True]
        assert step.final_obs[2:, 1].tolist() == [1, 1]
        assert pool.has_diverged
    assert events[1:] == [ReplayDiverged(envs=(2, 3))]
