"""Environments that carry state from one game to the next are found, and replaced for every game."""

import time

import numpy as np
import pytest
from pydantic import ValidationError

import odd_envs
from paac_cli.config.env import EnvConfig
from paac_cli.envs import carried_state, determinism
from paac_cli.envs.determinism import Determinism, check_determinism
from paac_cli.envs.gym import GymEnv
from paac_cli.envs.make import make_env
from paac_cli.errors import EnvironmentSpecError
from paac_cli.seeding import episode_seed
from playing_envs import odd, play

WALKER = EnvConfig(id="BipedalWalker-v3")


def fresh(config, value=True):
    return config.model_copy(update={"fresh_per_episode": value})


# The check


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (EnvConfig(id="CartPole-v1"), Determinism("exact")),
        (EnvConfig(id="Pendulum-v1"), Determinism("exact")),
        (EnvConfig(id="LunarLander-v3"), Determinism("exact")),
        (WALKER, Determinism("carries state")),
        (odd("Carrying"), Determinism("carries state", "the observation at reset")),
        (odd("Carrying", seeded=False), Determinism("ignores its seed", "the observation at reset")),
        (odd("Random"), Determinism("random", "the reward of step 2")),
        (EnvConfig(id="toy_envs:GlobalRandomState-v0"), Determinism("random", "the observation of step 1")),
        (odd("Failing"), Determinism("unknown", "the check failed with RuntimeError: the robot fell over")),
        (odd("OldStep"), Determinism("unknown")),
        (odd("OwnBuffer", kind="dict"), Determinism("exact")),
    ],
    ids=lambda value: value.id if isinstance(value, EnvConfig) else value.verdict,
)
def test_the_check_finds_what_replaying_games_needs(config, expected):
    assert check_determinism(config) == expected


def test_the_check_would_find_bipedal_walker_if_it_were_not_known(monkeypatch):
    monkeypatch.setattr(carried_state, "_CARRY_STATE", frozenset())
    expected = Determinism("carries state", "the observation of step 1")
    assert [check_determinism(WALKER) for _ in range(3)] == [expected] * 3


def test_the_setting_does_not_change_what_the_check_finds():
    assert check_determinism(fresh(odd("Carrying"))).verdict == "carries state"


def test_a_slow_environment_ends_the_check(monkeypatch):
    monkeypatch.setattr(determinism, "_SECONDS", 0.2)
    monkeypatch.setattr(odd_envs.Carrying, "step", lambda self, action: time.sleep(0.05) or odd_envs.Odd.step(self, 0))
    begin = time.monotonic()
    assert check_determinism(odd("Carrying")) == Determinism("unknown", "a check takes longer than 0.2 s")
    assert time.monotonic() - begin < 1.0


def test_a_slow_reset_ends_the_check(monkeypatch):
    monkeypatch.setattr(determinism, "_SECONDS", 0.1)
    monkeypatch.setattr(odd_envs.Odd, "_obs", lambda self: time.sleep(0.2) or np.array([self._steps]))
    begin = time.monotonic()
    assert check_determinism(odd("NoOptions")).verdict == "unknown"
    assert time.monotonic() - begin < 0.5


def slow_step(env, action):
    time.sleep(0.03)
    return np.array([1]), 0.0, False, False, {}


def test_a_slow_game_is_checked_in_part_and_the_result_says_so(monkeypatch):
    monkeypatch.setattr(determinism, "_SECONDS_PER_GAME", 0.02)
    monkeypatch.setattr(odd_envs.Odd, "step", slow_step)
    assert check_determinism(odd("Rendered")) == Determinism("exact", "only 1 step of a game, because it is slow")


def test_a_long_game_is_played_in_part(monkeypatch):
    monkeypatch.setattr(determinism, "_SECONDS_PER_GAME", 0.02)
    monkeypatch.setattr(odd_envs.Carrying, "step", lambda self, action: time.sleep(0.02) or odd_envs.Odd.step(self, 0))
    assert check_determinism(odd("Carrying")).verdict == "carries state"


@pytest.mark.parametrize("config", [odd("Carrying"), odd("Failing"), EnvConfig(id="CartPole-v1")])
def test_the_check_closes_what_it_makes(config, monkeypatch):
    made, closed = [], []
    open_env, close = GymEnv.__init__, GymEnv.close

    def record_made(self, *args):
        open_env(self, *args)
        made.append(self)

    monkeypatch.setattr(GymEnv, "__init__", record_made)
    monkeypatch.setattr(GymEnv, "close", lambda self: closed.append(self) or close(self))
    check_determinism(config)
    assert made == closed != []


# A new environment for every game


def number_of_game(env, episode):
    """The game's number in its environment, as the first observation of `Carrying` has it."""
    return play(env, 2, episode=episode)[0][0, 0]


@pytest.mark.parametrize(("setting", "numbers"), [(False, [1, 2, 3]), ("auto", [1, 2, 3]), (True, [1, 1, 1])])
def test_every_game_has_a_new_environment_if_the_setting_says_so(setting, numbers):
    """Toy environments are not among the known ones, so `auto` keeps them."""
    odd_envs.Carrying.made = 0
    env = make_env(fresh(odd("Carrying"), setting))
    assert [number_of_game(env, episode) for episode in range(3)] == numbers
    assert odd_envs.Carrying.made == (3 if setting is True else 1)


def test_the_environment_of_the_game_before_is_closed(monkeypatch):
    closed = []
    monkeypatch.setattr(odd_envs.Carrying, "close", lambda self: closed.append(self))
    env = make_env(fresh(odd("Carrying")))
    for episode in range(3):
        number_of_game(env, episode)
        assert len(closed) == episode
    env.close()
    assert len(set(map(id, closed))) == len(closed) == 3


def test_a_close_that_raises_does_not_end_the_run(monkeypatch):
    monkeypatch.setattr(odd_envs.Carrying, "close", lambda self: 1 / 0)
    env = make_env(fresh(odd("Carrying")))
    assert [number_of_game(env, episode) for episode in range(2)] == [1, 1]


def test_new_environments_must_have_the_spaces_of_the_first(monkeypatch):
    env = make_env(fresh(odd("Carrying")))
    number_of_game(env, 0)
    monkeypatch.setattr(odd_envs.Carrying, "observation_space", odd_envs.Odd.observation_space)
    with pytest.raises(
        EnvironmentSpecError, match=r"Carrying-v0: the observation space of a new environment is Box\(0, 1"
    ):
        number_of_game(env, 1)


def test_atari_games_need_no_new_environments():
    with pytest.raises(ValidationError, match="fresh_per_episode is not for Atari, whose games carry no state over"):
        EnvConfig(id="ALE/Pong-v5", fresh_per_episode=True)
    for setting in (False, "auto"):
        assert EnvConfig(id="ALE/Pong-v5", fresh_per_episode=setting).fresh_per_episode == setting


def walk(env, episode, steps=150):
    """A game of BipedalWalker with random actions that follow from `episode`."""
    rng, out = np.random.default_rng(episode), np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(episode_seed(1, 0, episode), out)
    trace = [out.tobytes()]
    for _ in range(steps):
        outcome = env.step(env.spec.action.draw(rng), out)
        trace.append((out.tobytes(), outcome))
        if outcome.game_over:
            break
    return trace


@pytest.mark.parametrize("env_id", ["BipedalWalker-v3", "BipedalWalkerHardcore-v3"])
def test_a_game_of_bipedal_walker_does_not_depend_on_the_games_before_it(env_id):
    """It keeps its Box2D world. Without new environments many games differ from their replay, some in late steps."""
    used = make_env(EnvConfig(id=env_id))
    assert used.is_fresh_per_episode
    for episode in range(12):
        assert walk(used, episode) == walk(make_env(EnvConfig(id=env_id)), episode), f"game {episode}"


def test_without_new_environments_games_of_bipedal_walker_differ_from_their_replay():
    """If this fails, Gymnasium has mended it, and the environment need not be known any more."""
    used = make_env(fresh(WALKER, False))
    assert any(walk(used, episode) != walk(make_env(WALKER), episode) for episode in range(12))
