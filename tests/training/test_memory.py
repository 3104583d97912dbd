"""Policies with a recurrent cell learn what needs memory, in real runs from the command line; others cannot."""

import json

import pytest

from paac_cli.config.load import load_config
from paac_cli.errors import ConfigError
from run_paac import paac_here as paac

RECALL = ["--set", "env.id=memory_envs:Recall-v0", "--set", "training.stop_when={mean_return: 0.98}"]
PPO = [
    *("--preset", "ppo/cartpole", *RECALL, "--total-steps", 60_000),
    *("--set", "network.separate_value=false", "--set", "algorithm.normalize_value=true"),
]
NSTEP_Q = [
    *("--preset", "nstep_q/cartpole", *RECALL, "--total-steps", 120_000),
    *("--set", "algorithm.epsilon_anneal_steps=50_000", "--set", "algorithm.q_lambda=0.9"),
]
PAAC = [
    *("--preset", "cartpole", *RECALL, "--total-steps", 400_000, "--set", "algorithm.num_steps=21"),
    *("--set", "algorithm.vf_coef=0.5", "--set", "algorithm.ent_coef=0.01", "--set", "algorithm.gamma=1.0"),
    *("--set", "algorithm.normalize_advantage=true", "--set", "algorithm.learning_rate=5e-3"),
]
GRU = ["--set", "network.recurrent={cell: gru, size: 32}"]


def mean_return(run):
    arguments = ["--episodes", 200, "--seed", 1000, "--greedy", "--json", "--trust-code"]
    return json.loads(paac("eval", run, *arguments).stdout)["mean"]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(PAAC, marks=pytest.mark.slow, id="paac"),
        pytest.param(PPO, id="ppo"),
        pytest.param(NSTEP_Q, marks=pytest.mark.slow, id="nstep_q"),
    ],
)
def test_with_a_cell_a_cue_is_recalled_after_20_steps(arguments, tmp_path):
    paac("train", *arguments, *GRU, "--run-dir", tmp_path / "run")
    assert mean_return(tmp_path / "run") == 1.0


def test_without_a_cell_the_cue_is_guessed(tmp_path):
    paac("train", *PPO, "--total-steps", 30_000, "--run-dir", tmp_path / "run")
    assert mean_return(tmp_path / "run") == pytest.approx(0.5, abs=0.15)


def error_of(**changes):
    data = {
        "env": {"id": "CartPole-v1"},
        "sampling": {"num_envs": 8},
        "algorithm": {"name": "ppo"},
        "network": {"torso": "mlp", "recurrent": {"cell": "gru"}},
        "training": {"total_steps": 1000},
    }
    with pytest.raises(ConfigError) as raised:
        load_config(data | changes, "test")
    return str(raised.value)


@pytest.mark.parametrize("name", ["dqn", "sac"])
def test_a_cell_is_refused_for_algorithms_with_a_replay_buffer(name):
    assert f"{name} does not support recurrent policies" in error_of(algorithm={"name": name})


def test_minibatches_must_consist_of_whole_environments():
    error = error_of(algorithm={"name": "ppo", "num_minibatches": 16})
    assert "num_minibatches (16) must divide sampling.num_envs (8)" in error


def test_a_cell_is_refused_with_a_target_network():
    assert "target_update_steps to 0" in error_of(algorithm={"name": "nstep_q", "target_update_steps": 1000})
