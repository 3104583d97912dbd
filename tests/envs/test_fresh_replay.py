"""With a new environment for every game, a game that is replayed after others is the same game, in a whole pool."""

import os
import signal

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import describe_env
from paac_cli.events import ReplayDiverged, WorkerRestarted
from playing_envs import odd
from pools import assert_same_play, open_pool, play

WALKER = EnvConfig(id="BipedalWalker-v3")
STEPS = 230  # with random actions: after one or two games of most environments


def actions_of(config, steps, num_envs=3):
    """Random actions [steps, num_envs, ...], the same for the same arguments."""
    return describe_env(config).action.draw(np.random.default_rng(0), steps, num_envs)


def continued(config, steps, log):
    """What a pool does after `steps` steps, and what one does that is restored to there."""
    actions = actions_of(config, steps + 60)
    with open_pool(config) as pool:
        pool.reset()
        records = play(pool, actions[:steps])
        snapshot = pool.snapshot()
        original = play(pool, actions[steps:])
    assert sum(len(record["episodes"]) for record in records) >= 2
    with open_pool(config, num_workers=3, log=log) as pool:
        pool.restore(snapshot)
        return original, play(pool, actions[steps:])


@pytest.mark.parametrize(
    ("config", "steps"), [(WALKER, STEPS), (odd("Carrying", config={"fresh_per_episode": True}), 13)]
)
def test_a_restored_pool_continues_as_the_original(config, steps):
    events = []
    original, restored = continued(config, steps, events.append)
    assert_same_play(restored, original)
    assert events == []


@pytest.mark.parametrize(
    ("config", "steps"),
    [(WALKER.model_copy(update={"fresh_per_episode": False}), STEPS), (odd("Carrying"), 13)],
)
def test_without_new_environments_the_replay_diverges(config, steps):
    events = []
    continued(config, steps, events.append)
    assert [type(event) for event in events] == [ReplayDiverged]


def test_a_restarted_worker_continues_as_the_one_that_was_killed():
    events, actions = [], actions_of(WALKER, STEPS + 60)
    with open_pool(WALKER) as pool:
        pool.reset()
        expected = play(pool, actions)
    with open_pool(WALKER, log=events.append) as pool:
        pool.reset()
        records = play(pool, actions[:STEPS])
        os.kill(pool.pids[0], signal.SIGKILL)
        records += play(pool, actions[STEPS:])
    assert_same_play(records, expected)
    assert [type(event) for event in events] == [WorkerRestarted]
