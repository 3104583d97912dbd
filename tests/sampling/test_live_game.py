"""A game that is played step by step in a process of its own."""

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import make_env
from paac_cli.errors import VideoError, WorkerError
from paac_cli.sampling.live_game import LiveGame
from paac_cli.sampling.replay_frames import replay_frames
from paac_cli.seeding import episode_seed
from playing_envs import odd, play
from toy_envs import Counting, config_of

PONG = EnvConfig(id="ALE/Pong-v5", protocol="baselines")


@pytest.mark.parametrize(("config", "group"), [(PONG, 2), (EnvConfig(id="CartPole-v1"), 1)])
def test_it_gives_the_observations_of_the_environment_and_the_frames_of_a_replay(config, group):
    seed, actions = episode_seed(1, 0, 0), np.array([1, 0, 1, 0, 1, 1], np.int32)
    with LiveGame(config, 20.0, group) as game:
        game.reset(episode_seed(3, 0, 0))  # another game before
        game.step(actions[0])
        steps = [game.reset(seed), *(game.step(action) for action in actions)]
    env = make_env(config)
    obs = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(seed, obs)
    for step, action in zip(steps, actions, strict=False):
        np.testing.assert_array_equal(step.obs, obs)
        env.step(action, obs)
    assert steps[-1].score == env.score
    frames = [frame for step in replay_frames(config, actions, seed, 20.0, group=group) for frame in step.frames]
    live = [frame for step in steps for frame in step.frames]
    np.testing.assert_array_equal(live, frames[: len(live)])
    assert len(live) >= len(frames) - 1  # a replay also shows a last, incomplete group


def test_the_end_of_a_game_is_reported():
    config = EnvConfig(id="CartPole-v1")
    length = len(play(make_env(config), 500)[1])
    with LiveGame(config, 20.0, 1) as game:
        game.reset(episode_seed(1, 0, 0))
        steps = [game.step(np.int32(0)) for _ in range(length)]
    assert [step.game_over for step in steps] == [False] * (length - 1) + [True]
    assert steps[-1].episode_ended


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (odd("Rendered", frame="none"), VideoError, "render() returned None"),
        (config_of(Counting, fault_in="reset", fault="SIGSEGV"), WorkerError, "killed by SIGSEGV"),
        (config_of(Counting, fault_in="reset", fault="spin"), WorkerError, "hung for 1 s"),
    ],
)
def test_an_environment_that_fails_is_an_error_that_says_why(config, error, message):
    with LiveGame(config, 1.0, 1) as game, pytest.raises(error) as caught:
        game.reset(episode_seed(1, 0, 0))
    assert message in str(caught.value)
