"""The rule set `baselines` compared with Gymnasium's wrappers, combined as in OpenAI baselines."""

import ale_py  # noqa: F401  registers the games
import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

from paac_cli.config.env import EnvConfig
from paac_cli.envs.atari import AtariEnv
from paac_cli.seeding import episode_seed

SEED, STEPS = 11, 2_000


class FreshGame(gymnasium.Wrapper):
    """The innermost wrapper: reloads the ROM for each game, plays as many no-ops as `AtariEnv`, sums the raw score."""

    def __init__(self, env):
        super().__init__(env)
        self.episode, self.score, self.is_over = -1, 0.0, True

    def reset(self, **_):
        self.episode += 1
        self.score, self.is_over = 0.0, False
        obs, info = self.env.reset(seed=0)
        noops = np.random.default_rng(episode_seed(SEED, 0, self.episode)).integers(1, 30, endpoint=True)
        for _ in range(noops):
            obs, *_, info = self.step(0)
        return obs, info

    def step(self, action):
        obs, reward, terminated, truncated, info = self.env.step(action)
        self.score += reward
        self.is_over = terminated
        return obs, reward, terminated, truncated, info


class EpisodicLife(gymnasium.Wrapper):
    """As baselines' atari_wrappers.EpisodicLifeEnv."""

    lives, game_over = 0, True

    def reset(self, **kwargs):
        if self.game_over:
            obs, info = self.env.reset(**kwargs)
        else:
            obs, *_, info = self.env.step(0)
        self.lives = self.unwrapped.ale.lives()
        return obs, info

    def step(self, action):
        obs, reward, terminated, truncated, info = self.env.step(action)
        self.game_over = terminated
        lives = self.unwrapped.ale.lives()
        terminated = terminated or 0 < lives < self.lives
        self.lives = lives
        return obs, reward, terminated, truncated, info


class FireReset(gymnasium.Wrapper):
    """As baselines' atari_wrappers.FireResetEnv."""

    def reset(self, **kwargs):
        obs, info = self.env.reset(**kwargs)
        for action in (1, 2):
            obs, _, terminated, _, info = self.env.step(action)
            if terminated:
                obs, info = self.env.reset(**kwargs)
        return obs, info


def build_reference(env_id):
    """All wrappers, and the innermost one, which has the raw score."""
    raw = gymnasium.make(env_id, frameskip=1, repeat_action_probability=0.0, full_action_space=False)
    game = FreshGame(raw)
    env = AtariPreprocessing(
        game, noop_max=0, frame_skip=4, screen_size=84, terminal_on_life_loss=False, grayscale_obs=True
    )
    env = EpisodicLife(env)
    meanings = raw.unwrapped.get_action_meanings()
    if meanings[1] == "FIRE" and len(meanings) >= 3:
        env = FireReset(env)
    return FrameStackObservation(env, 4, padding_type="reset"), game


@pytest.mark.parametrize(
    ("name", "fires", "has_lives"),
    [
        ("Pong", True, False),
        ("Breakout", True, True),
        ("Qbert", True, True),
        ("Seaquest", True, True),
        ("MsPacman", False, True),
        ("SpaceInvaders", True, True),
        ("BeamRider", True, True),
    ],
)
def test_the_rule_set_baselines_equals_gymnasium_in_every_step(name, fires, has_lives):
    env_id = f"ALE/{name}-v5"
    reference, game = build_reference(env_id)
    assert isinstance(reference.env, FireReset) == fires
    env = AtariEnv(EnvConfig(id=env_id, protocol="baselines"))
    assert list(env.spec.action.names) == reference.unwrapped.get_action_meanings()

    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(episode_seed(SEED, 0, 0), out)
    expected, _ = reference.reset()
    assert np.array_equal(out, np.moveaxis(expected, 0, -1))

    games, lost_lives = 0, 0
    actions = np.random.default_rng(SEED).integers(env.spec.action.num_actions, size=STEPS).tolist()
    for index, action in enumerate(actions):
        outcome = env.step(action, out)
        expected, reward, terminated, _, _ = reference.step(action)
        assert outcome[:3] == (np.sign(reward), terminated, False), f"step {index}"
        if terminated and not game.is_over:
            lost_lives += 1
            expected, _ = reference.reset()  # `env` has started the next life automatically
        assert outcome.game_over == game.is_over, f"step {index}"
        assert env.score == game.score, f"step {index}"
        if outcome.game_over:
            games += 1
            env.new_game(episode_seed(SEED, 0, games), out)
            expected, _ = reference.reset()
        assert np.array_equal(out, np.moveaxis(expected, 0, -1)), f"step {index}"

    assert games >= 1
    assert (lost_lives >= 2) == has_lives
