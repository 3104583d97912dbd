"""Trained policies in programs of one's own."""

import json
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from paac_cli.api import load_policy
from paac_cli.config.env import EnvConfig
from paac_cli.envs.as_gymnasium import as_gymnasium
from paac_cli.envs.atari import AtariEnv
from paac_cli.errors import CheckpointError, DeviceError, EnvironmentSpecError, EnvOutputError, TrustError
from paac_cli.runs.checkpoint_names import list_policies
from paac_cli.seeding import episode_seed, integer_seed
from run_paac import paac_here
from short_runs import flip_a_byte

ROOT = Path(__file__).parents[2]


@pytest.fixture
def train(tmp_path):
    def train(preset, *assignments, env=None):
        settings = [argument for assignment in assignments for argument in ("--set", assignment)]
        options = [*settings, "--num-envs", 4, "--total-steps", 64, "--run-dir", tmp_path / "run"]
        paac_here("train", "--preset", preset, *(["--env", env] if env else []), *options)
        return tmp_path / "run"

    return train


def play(policy, env, seed):
    """The return of a game that `policy` plays greedily."""
    obs, info = env.reset(seed=seed)
    policy.reset()
    total, is_over = 0.0, False
    while not is_over:
        obs, reward, terminated, truncated, info = env.step(policy.act(obs, info, greedy=True))
        total, is_over = total + float(reward), terminated or truncated
    return total


@pytest.mark.parametrize("preset", ["ppo/cartpole", "ppo/taxi", "sac/pendulum"])
def test_a_game_in_the_environment_itself_is_that_of_paac_eval(train, preset):
    """The environment is the plain one of Gymnasium. Sums in a batch of 1 are rounded otherwise than in one of 16."""
    run = train(preset)
    report = json.loads(paac_here("eval", run, "--episodes", 1, "--seed", 5, "--greedy", "--json").stdout)
    policy = load_policy(run)
    score = play(policy, gymnasium.make(policy.config.env.id), integer_seed(episode_seed(5, 0, 0)))
    assert score == pytest.approx(report["mean"], rel=1e-3)


def test_a_policy_for_pong_wins():
    policy = load_policy(ROOT / "results/atari/pong-seed1")
    assert policy.config.env.id == "ALE/Pong-v5"
    assert policy.steps == 9_000_960
    assert play(policy, policy.make_env(), seed=1) > 15.0


def test_sampled_actions_are_a_function_of_the_seed(train):
    run, obs = train("ppo/cartpole"), np.zeros(4, np.float32)
    policies = [load_policy(run, seed=seed) for seed in (1, 1, 2)]
    first, same, other = ([policy.act(obs) for _ in range(50)] for policy in policies)
    assert first == same != other
    assert {*first} == {0, 1}


@pytest.mark.parametrize("greedy", [False, True])
def test_a_choice_has_the_action_and_the_estimates_of_the_policy(train, greedy):
    run = train("ppo/cartpole")
    policy, same = load_policy(run, seed=1), load_policy(run, seed=1)
    for obs in np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32):
        choice = policy.choose(obs, greedy=greedy)
        expected = same._agent.predict(obs[None], seed=1, step=0, greedy=greedy)
        assert choice.action == same.act(obs, greedy=greedy)
        assert choice.value == expected.value[0]
        np.testing.assert_array_equal(choice.probability, expected.probability[0])
        assert choice.probability.sum() == pytest.approx(1.0)
        assert not greedy or choice.action == choice.probability.argmax()


def test_continuous_actions_have_no_probabilities(train):
    choice = load_policy(train("ppo/pendulum", "algorithm.num_minibatches=1")).choose(np.zeros(3, np.float32))
    assert choice.action.shape == (1,)
    assert choice.probability.shape == (0,)


def test_reset_forgets_the_game_before(train):
    policy = load_policy(
        train("ppo/pendulum", "network.recurrent={}", "algorithm.num_minibatches=2", "algorithm.num_steps=16")
    )
    observations = np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32)
    first, second = (policy.act(obs, greedy=True) for obs in observations)
    assert policy.act(observations[1], greedy=True) != second
    policy.reset()
    assert policy.act(observations[0], greedy=True) == first
    assert policy.act(observations[1], greedy=True) == second
    assert policy.act(observations[0], {"episode_ended": True}, greedy=True) == first


def test_actions_are_legal_and_a_missing_mask_is_an_error(train):
    policy = load_policy(train("ppo/cartpole", "env.action_mask=true", env="memory_envs:Masked-v0"), trust_code=True)
    assert play(policy, policy.make_env(), seed=3) >= 0.0  # the environment raises an error after an illegal action
    policy.reset()
    with pytest.raises(EnvOutputError, match=r"needs the action mask: act\(obs, info\)"):
        policy.act(np.zeros(1, np.float32))
    with pytest.raises(EnvOutputError, match=r"at reset: info\['action_mask'\] is missing"):
        policy.act(np.zeros(1, np.float32), {})


def test_code_is_imported_only_if_it_is_trusted(train):
    run = train("ppo/cartpole", env="toy_envs:Counting-v0")
    with pytest.raises(TrustError, match="toy_envs:Counting-v0"):
        load_policy(run)
    assert load_policy(run, trust_code=True).config.env.id == "toy_envs:Counting-v0"


@pytest.mark.parametrize("obs", [np.zeros((4, 4), np.float32), np.zeros(1, np.float32), np.full(4, np.nan, np.float32)])
def test_observations_that_do_not_fit_are_refused(train, obs):
    policy = load_policy(train("ppo/cartpole"))
    with pytest.raises(EnvOutputError, match="observation"):
        policy.act(obs)


def test_a_directory_without_a_policy_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="neither a run directory nor a checkpoint"):
        load_policy(tmp_path)


def test_games_of_atari_are_whole_and_their_rewards_raw():
    """Of the rule set `baselines`, under which a lost life ends an episode, and rewards are clipped in training."""
    config = EnvConfig(id="ALE/MsPacman-v5", protocol="baselines")
    games, env = as_gymnasium(config, "rgb_array"), AtariEnv(config)
    rng, obs = np.random.default_rng(2), np.zeros(env.spec.obs_shape, np.uint8)
    first, _ = games.reset(seed=7)
    env.new_game(np.random.SeedSequence(int(np.random.default_rng(7).integers(2**63))), obs)
    np.testing.assert_array_equal(first, obs)
    assert games.observation_space.contains(first)
    total, lives_lost = 0.0, 0
    while True:
        action = games.action_space.dtype.type(rng.integers(env.spec.action.num_actions))
        outcome = env.step(action, obs)
        seen, reward, terminated, truncated, info = games.step(action)
        np.testing.assert_array_equal(seen, obs)
        total, lives_lost = total + reward, lives_lost + outcome.terminated
        assert (terminated, truncated) == (outcome.game_over, False)
        assert info["episode_ended"] == outcome.terminated
        if terminated:
            break
    assert total == env.score > lives_lost
    assert lives_lost == 3
    assert games.render().shape == (210, 160, 3)
    assert games.render().dtype == np.uint8
    assert games.metadata["render_fps"] == 15  # one frame is shown of the four in a step


@pytest.mark.parametrize("loses_life", [False, True])
def test_an_atari_game_out_of_time_is_truncated(loses_life, monkeypatch):
    games = as_gymnasium(EnvConfig(id="ALE/Breakout-v5", protocol="baselines"))
    games.reset(seed=1)
    steps = 3
    if loses_life:
        env = AtariEnv(EnvConfig(id="ALE/Breakout-v5", protocol="baselines"))
        env.new_game(
            np.random.SeedSequence(int(np.random.default_rng(1).integers(2**63))), np.zeros((84, 84, 4), np.uint8)
        )
        steps = next(
            step for step in range(1, 1000) if env.step(np.int64(0), np.zeros((84, 84, 4), np.uint8)).terminated
        )
    monkeypatch.setattr("paac_cli.envs.atari.MAX_STEPS", steps)
    ends = [games.step(np.int64(0))[2:4] for _ in range(steps)]
    assert ends == [(False, False)] * (steps - 1) + [(False, True)]


@pytest.mark.parametrize("protocol", ["machado2018", "baselines"])
def test_the_first_frame_of_a_game_of_atari_is_its_own(protocol):
    games = as_gymnasium(EnvConfig(id="ALE/Pong-v5", protocol=protocol), "rgb_array")
    games.reset(seed=1)
    first = games.render()
    for _ in range(100):
        games.step(np.int64(2))
    assert (games.render() != first).any()
    games.reset(seed=1)
    np.testing.assert_array_equal(games.render(), first)


def test_atari_has_no_window():
    config = EnvConfig(id="ALE/Pong-v5", protocol="baselines")
    assert as_gymnasium(config).render() is None
    with pytest.raises(EnvironmentSpecError, match="render_mode is 'human'; expected 'rgb_array' or None"):
        as_gymnasium(config, "human")


def test_a_damaged_best_policy_is_skipped_with_a_warning(train):
    run = train("ppo/cartpole")
    (best,) = list_policies(run / "checkpoints")
    flip_a_byte(best / "policy.safetensors")
    with pytest.warns(UserWarning, match="damaged") as caught:
        load_policy(run)
    assert {warning.filename for warning in caught} == {__file__}


def test_trusted_code_is_found_in_the_current_directory(train, tmp_path, monkeypatch):
    run = train("ppo/cartpole", env="toy_envs:Counting-v0")
    code = f"from paac_cli.api import load_policy; print(load_policy({str(run)!r}, trust_code=True).config.env.id)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=ROOT / "tests", capture_output=True, text=True, check=False
    )
    assert done.stdout == "toy_envs:Counting-v0\n", done.stderr


def test_a_gpu_that_is_in_use_is_an_error_that_says_what_to_do(monkeypatch):
    def refuse(*_):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr("tensorflow.config.set_visible_devices", refuse)
    with pytest.raises(DeviceError, match="load policies before that"):
        load_policy(ROOT / "results/atari/pong-seed1")
