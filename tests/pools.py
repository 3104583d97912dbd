"""Opens pools of toy and real environments, plays them, and compares what they return with environments in-process."""

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.envs.make import describe_env, make_env
from paac_cli.sampling.games import Games
from paac_cli.sampling.overlap import OverlappedPool
from paac_cli.sampling.pool import WorkerPool
from paac_cli.seeding import episode_seed, integer_seed
from paac_cli.stopwatch import Stopwatch
from paac_cli.training.interaction import interact
from toy_envs import Counting, config_of, spec_of

SEED = 7
BREAKOUT = EnvConfig(id="ALE/Breakout-v5", protocol="baselines")
PONG = EnvConfig(id="ALE/Pong-v5", protocol="baselines")
CART_POLE = EnvConfig(id="CartPole-v1", kwargs={"max_episode_steps": 25})


def unexpected(event):
    """A log for pools that have nothing to report."""
    pytest.fail(f"unexpected event: {event}")


def open_pool(
    config,
    spec=None,
    *,
    num_envs=3,
    num_workers=2,
    rollout_length=4,
    overlap=False,
    log=unexpected,
    stopping=lambda: False,
    **limits,
):
    """A `WorkerPool`, or with `overlap` an `OverlappedPool`. limits: `worker_timeout` and `max_restarts`."""
    sampling = SamplingConfig(num_envs=num_envs, num_workers=num_workers, overlap=overlap, **limits)
    pool = OverlappedPool if overlap else WorkerPool
    spec = spec or describe_env(config)
    return pool(Games(config, SEED), spec, sampling, rollout_length=rollout_length, log=log, stopping=stopping)


_POOL_OPTIONS = ("num_envs", "num_workers", "rollout_length", "overlap", "log", "stopping")


def open_counting(**options):
    """A pool of `Counting`. Options that are not for `open_pool` are fields of its script."""
    for_pool = {name: options.pop(name) for name in _POOL_OPTIONS if name in options}
    return open_pool(config_of(Counting, **options), spec_of(Counting), **for_pool)


def counting_seed(env, episode):
    """The first element of the observations of `Counting` in this game of a pool."""
    return integer_seed(episode_seed(SEED, env, episode))


def random_actions(config, steps, num_envs, seed=0):
    """[steps, num_envs], the same for the same arguments."""
    return np.random.default_rng(seed).integers(describe_env(config).action.num_actions, size=(steps, num_envs))


def play(pool, actions):
    """Play `actions` [S, N] and record every step."""
    return [record(pool.step(row)) for row in actions]


def play_overlapped(pool, actions):
    """As `play`, with `interact`. S must be a multiple of the rollout length."""
    player, records = ScriptedPlayer(actions), []
    for _ in range(len(actions) // pool.rollout_length):
        for step, learned in interact(player, pool, pool.rollout_length, Stopwatch()):
            records.append(record(step))
            assert_same_play([records[-1]], [learned])
    return records


class ScriptedPlayer:
    """Plays `actions` [S, N], also for one half of the environments after the other. `learn` returns a record."""

    def __init__(self, actions):
        self._actions = actions
        self._next_row = np.zeros(actions.shape[1], int)  # of each environment

    def act(self, step):
        row = self._next_row[step.envs.start]
        self._next_row[step.envs] += 1
        return self._actions[row, step.envs]

    def learn(self, step):
        return record(step)


def record(step):
    """A copy of all that is valid in a time step."""
    return {
        "obs": step.obs.copy(),
        "reward": step.reward.tolist(),
        "terminated": step.terminated.tolist(),
        "truncated": step.truncated.tolist(),
        "final_obs": step.final_obs[step.truncated].copy(),
        "episodes": step.episodes.tolist(),
    }


def assert_same_play(records, expected):
    assert len(records) == len(expected)
    for index, (one, other) in enumerate(zip(records, expected, strict=True)):
        for name in one:
            assert np.array_equal(one[name], other[name]), f"{name} of record {index} differs"


def assert_same_arrays(arrays, expected):
    """The same names, dtypes and values: for snapshots."""
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        assert array.dtype == expected[name].dtype, f"the dtype of {name} differs"
        assert np.array_equal(array, expected[name]), f"{name} differs"


def play_in_process(config, actions):
    """The first observations [N, ...] and what `play` must return, from environments in this process."""
    num_envs = actions.shape[1]
    envs = [make_env(config) for _ in range(num_envs)]
    obs = np.empty((num_envs, *envs[0].spec.obs_shape), envs[0].spec.obs_dtype)
    episode = [0] * num_envs
    for n, env in enumerate(envs):
        env.new_game(episode_seed(SEED, n, 0), obs[n])
    first, records = obs.copy(), []
    for row in actions.tolist():
        outcomes = [env.step(action, obs[n]) for n, (env, action) in enumerate(zip(envs, row, strict=True))]
        finals, episodes = [], []
        for n, (env, outcome) in enumerate(zip(envs, outcomes, strict=True)):
            if outcome.truncated:
                finals.append(obs[n].copy())
            if outcome.game_over:
                episodes.append((n, episode[n], env.score, env.length))
                episode[n] += 1
                env.new_game(episode_seed(SEED, n, episode[n]), obs[n])
        records.append(
            {
                "obs": obs.copy(),
                "reward": [outcome.reward for outcome in outcomes],
                "terminated": [outcome.terminated for outcome in outcomes],
                "truncated": [outcome.truncated for outcome in outcomes],
                "final_obs": np.array(finals, obs.dtype).reshape(-1, *obs.shape[1:]),
                "episodes": episodes,
            }
        )
    return first, records


def worker_pids():
    """Process ids of the children of this process."""
    return [child.pid for child in multiprocessing.active_children()]


def is_running(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def seconds_until_ended(pids, timeout=10.0):
    """Wait until none of the processes is running."""
    start = time.monotonic()
    while any(map(is_running, pids)):
        assert time.monotonic() - start < timeout, "processes are still running"
    return time.monotonic() - start
