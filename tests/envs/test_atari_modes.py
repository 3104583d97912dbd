"""Modes and difficulties of Atari games, which are a part of the rules that a score belongs to."""

import ale_py  # noqa: F401  registers the games
import gymnasium
import numpy as np
import pytest
from pydantic import ValidationError

from paac_cli.config.env import EnvConfig
from paac_cli.envs.atari import AtariEnv
from paac_cli.envs.make import describe_env
from paac_cli.errors import EnvironmentSpecError
from paac_cli.seeding import episode_seed
from playing_envs import play


def frames_of(game, steps=40, **config):
    """All screens [210, 160, 3] of the first `steps` steps of a game without no-ops and sticky actions."""
    frames = []
    env = AtariEnv(
        EnvConfig(id=f"ALE/{game}-v5", protocol="paac2017", **config), lambda frame: frames.append(frame.copy())
    )
    play(env, steps, action=2)
    return np.array(frames)


@pytest.mark.parametrize("difficulty", [None, 1, 3])
@pytest.mark.parametrize("mode", [None, 1])
def test_the_screens_are_those_of_gymnasium_with_the_same_mode_and_difficulty(mode, difficulty):
    reference = gymnasium.make(
        *["ALE/Pong-v5"], mode=mode, difficulty=difficulty, frameskip=1, repeat_action_probability=0.0
    )
    reference.reset(seed=0)
    noops = int(np.random.default_rng(episode_seed(1, 0, 0)).integers(0, 30, endpoint=True))
    expected = [reference.step(0)[0] for _ in range(noops + 16)]
    expected += [reference.step(2)[0] for _ in range(160)]
    found = frames_of("Pong", mode=mode, difficulty=difficulty)
    assert np.array_equal(found, expected)


def test_each_mode_and_difficulty_is_a_game_of_its_own():
    games = [frames_of("Pong", mode=mode, difficulty=difficulty) for mode in (0, 1) for difficulty in (0, 1)]
    assert len({game.tobytes() for game in games}) == 4
    assert np.array_equal(games[0], frames_of("Pong"))  # 0 is the default of both


def test_spare_emulators_keep_the_mode():
    """Every second game is played on another emulator."""
    config = EnvConfig(id="ALE/Breakout-v5", mode=8, difficulty=1)
    env, plain = AtariEnv(config), AtariEnv(EnvConfig(id="ALE/Breakout-v5"))
    games = []
    for _ in range(3):
        games.append(play(env, 30, action=1)[0])
        other = play(plain, 30, action=1)[0]
        env.prepare()
    assert all(np.array_equal(game, games[0]) for game in games)
    assert not np.array_equal(other, games[0])


@pytest.mark.parametrize(
    ("game", "setting", "expected"),
    [
        ("Pong", {"mode": 7}, "ALE/Pong-v5 has no mode 7; env.mode must be one of 0, 1"),
        ("Pong", {"difficulty": 4}, "ALE/Pong-v5 has no difficulty 4; env.difficulty must be one of 0, 1, 2, 3"),
        ("Tetris", {"mode": 1}, "ALE/Tetris-v5 has no mode 1; env.mode must be one of 0"),
    ],
)
def test_a_mode_that_a_game_does_not_have_is_an_error_that_lists_those_it_has(game, setting, expected):
    with pytest.raises(EnvironmentSpecError) as caught:
        describe_env(EnvConfig(id=f"ALE/{game}-v5", **setting))
    assert str(caught.value) == expected


@pytest.mark.parametrize("setting", [{"mode": 1}, {"difficulty": 0}, {"mode": 0, "difficulty": 1}])
def test_modes_are_for_atari_only(setting):
    with pytest.raises(ValidationError, match=f"{' and '.join(setting)} can be set for Atari only"):
        EnvConfig(id="CartPole-v1", **setting)


@pytest.mark.parametrize("mode", [-1, 1.5, "easy", True])
def test_a_mode_is_a_number(mode):
    with pytest.raises(ValidationError):
        EnvConfig(id="ALE/Pong-v5", mode=mode)


@pytest.mark.parametrize(
    ("config", "rules"),
    [
        (EnvConfig(id="CartPole-v1"), ""),
        (EnvConfig(id="ALE/Pong-v5"), "rule set baselines"),
        (EnvConfig(id="ALE/Pong-v5", protocol="paac2017", mode=1), "rule set paac2017, mode 1"),
        (EnvConfig(id="ALE/Pong-v5", mode=0, difficulty=3), "rule set baselines, mode 0, difficulty 3"),
    ],
)
def test_the_rules_of_a_score_name_the_mode_and_the_difficulty(config, rules):
    assert config.rules == rules
