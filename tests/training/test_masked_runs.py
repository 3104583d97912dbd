"""`env.action_mask` in real runs from the command line. The environment raises an error at an illegal action."""

import json
import re

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.envs.determinism import check_determinism
from paac_cli.envs.make import make_env
from paac_cli.errors import EnvironmentSpecError, EnvOutputError
from paac_cli.seeding import episode_seed
from run_paac import paac_here as paac
from short_runs import final_state

#: Algorithm -> settings with which 1,280 steps exercise everything that it does.
QUICK = {
    "paac": [],
    "ppo": ["algorithm.num_steps=8", "network.recurrent={cell: gru, size: 8}"],
    "nstep_q": ["algorithm.rule=sarsa", "algorithm.hl_gauss={}"],
    "dqn": ["algorithm.learning_starts=160", "algorithm.buffer_size=500", "algorithm.double=true"],
    "sac": ["algorithm.learning_starts=160", "algorithm.buffer_size=500", "algorithm.utd_ratio=0.1"],
}


def train(run_dir, algorithm, *more, env="memory_envs:Masked-v0", code=0, kwargs="{}"):
    settings = [
        "training.stop_when=null",
        f"env.kwargs={kwargs}",
        "env.action_mask=true",
        "env.fresh_per_episode=false",
        "training.checkpoint_every=320",
        *QUICK[algorithm],
    ]
    arguments = [word for setting in settings for word in ("--set", setting)]
    sizes = ["--env", env, "--num-envs", 4, "--total-steps", 1280, "--run-dir", run_dir]
    return paac("train", "--preset", "cartpole", "--algorithm", algorithm, *sizes, *arguments, *more, code=code)


@pytest.mark.parametrize("algorithm", QUICK)
def test_no_illegal_action_is_taken_in_training_evaluation_and_on_other_workers(algorithm, tmp_path):
    train(tmp_path / "one", algorithm)
    train(tmp_path / "two", algorithm, "--num-workers", 1, "--total-steps", 640)
    train(tmp_path / "two", algorithm, "--num-workers", 3)
    assert final_state(tmp_path / "one") == final_state(tmp_path / "two")
    for actions in ("--greedy", "--sample"):
        paac("eval", tmp_path / "one", "--episodes", 8, actions, "--trust-code")


def masked(**kwargs):
    return EnvConfig(id="memory_envs:Masked-v0", action_mask=True, kwargs=kwargs)


def test_the_mask_is_the_end_of_the_observation():
    env = make_env(masked())
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    assert out.shape == (1 + 4,)
    env.new_game(episode_seed(1, 0, 0), out)
    for step in range(1, 10):
        legal = np.flatnonzero(out[1:])
        env.step(np.int32(legal[-1]), out)
        assert out[0] == step


def test_a_missing_mask_is_an_error():
    env = make_env(EnvConfig(id="CartPole-v1", action_mask=True))
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    with pytest.raises(
        EnvOutputError, match=r"at reset: info\['action_mask'\] is missing; .* set env\.action_mask to false"
    ):
        env.new_game(episode_seed(1, 0, 0), out)


@pytest.mark.parametrize(
    ("mask", "found"),
    [
        ([1, 1, 1, 1], "of type list"),
        (np.ones(3, np.int8), r"an array of shape \(3,\)"),
        (np.ones(4), "an array .*dtype float64"),
        (np.array([0, -9, 0, -9]), r"\[0, -9, 0, -9\]"),  # as a term of the logits
    ],
)
def test_an_invalid_mask_is_an_error_that_says_what_is_expected(mask, found):
    env = make_env(EnvConfig(id="memory_envs:Masked-v0", action_mask=True))
    env._env.unwrapped._given = mask
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    with pytest.raises(
        EnvOutputError, match=rf"at reset: info\['action_mask'\] is {found}.*1 for a legal action and 0 for any"
    ):
        env.new_game(episode_seed(1, 0, 0), out)


def test_if_no_action_is_legal_the_run_ends_and_names_environment_and_step(tmp_path):
    output = train(tmp_path / "run", "paac", kwargs="{none_after: 3}", code=1).stderr
    assert re.search(r"environment [0-3]\b", output)
    assert "after step 3 of the episode: no action is legal" in output


def test_masks_need_one_choice_as_action():
    with pytest.raises(EnvironmentSpecError, match=r"env\.action_mask needs a Discrete action space"):
        make_env(EnvConfig(id="Pendulum-v1", action_mask=True))


def test_masks_that_differ_on_replay_make_an_environment_random():
    assert check_determinism(masked()).verdict == "exact"
    assert check_determinism(masked(changes=True)).verdict == "random"


@pytest.mark.parametrize("algorithm", ["ppo", "nstep_q", "dqn", "sac"])
def test_truncated_episodes_and_boolean_observations_have_masks_too(algorithm, tmp_path):
    train(tmp_path / "run", algorithm, kwargs="{truncates: true, dtype: bool}")


@pytest.mark.slow
def test_taxi_is_learned_with_masks(tmp_path):
    paac("train", "--preset", "ppo/taxi", "--run-dir", tmp_path / "run", "--total-steps", 100_000)
    report = json.loads(paac("eval", tmp_path / "run", "--episodes", 100, "--sample", "--json").stdout)
    assert report["mean"] > 0.0  # random play with masks: below -100
