"""Presets reach their goals, in real runs from the command line. `make learn` trains more of them."""

import json

import pytest

from run_paac import paac_here as paac


@pytest.mark.parametrize(
    ("preset", "score", "actions"),
    [
        pytest.param("sac/pendulum", -160, "--sample", marks=pytest.mark.slow),
        ("cartpole", 475, "--sample"),
        pytest.param("ppo/acrobot", -100, "--sample", marks=pytest.mark.slow),
        pytest.param("nstep_q/cartpole", 475, "--greedy", marks=pytest.mark.slow),
        pytest.param("dqn/acrobot", -100, "--greedy", marks=pytest.mark.slow),
        pytest.param("ppo/pendulum", -250, "--sample", marks=pytest.mark.slow),
    ],
)
def test_a_preset_reaches_its_goal_and_so_does_its_saved_policy(preset, score, actions, tmp_path):
    output = paac("train", "--preset", preset, "--run-dir", tmp_path / "run").stdout
    assert "goal reached" in output or preset == "sac/pendulum"  # which trains for a fixed number of steps
    report = json.loads(paac("eval", tmp_path / "run", "--episodes", 100, "--seed", 1000, actions, "--json").stdout)
    assert report["mean"] >= score
