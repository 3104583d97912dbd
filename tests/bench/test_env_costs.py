"""CPU time of environments alone, measured in real processes."""

import multiprocessing

import pytest

from paac_cli.bench.env_costs import env_costs
from paac_cli.config.load import load_config
from paac_cli.errors import WorkerError
from paac_cli.machine import available_cores
from rude_envs import rude
from toy_envs import Counting, config_of

OTHER_SECTIONS = {"network": {"torso": "mlp"}, "training": {"total_steps": 1}}


def costs_of(env, seconds=0.2):
    return env_costs(load_config({"env": env, **OTHER_SECTIONS}, "test"), seconds)


def test_an_atari_step_costs_the_emulator_and_the_preprocessing():
    costs = costs_of({"id": "ALE/Pong-v5"}, seconds=0.5)
    assert 20 < costs.emulate < 5_000
    assert 0 < costs.preprocess < costs.emulate
    assert costs.step == costs.emulate + costs.preprocess


def test_a_gymnasium_step_is_one_cost():
    costs = costs_of({"id": "CartPole-v1"})
    assert 1 < costs.emulate < 1_000
    assert costs.preprocess is None
    assert costs.step == costs.emulate


def test_environments_that_are_measured_together_have_placeholders_of_their_own(tmp_path):
    costs_of(rude(made=["touch", str(tmp_path / "{worker_index}-{env_index}")]).model_dump(), seconds=0.1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n}-{n}" for n in range(available_cores())]


def test_no_process_is_left_behind():
    costs_of({"id": "CartPole-v1"}, seconds=0.1)
    assert multiprocessing.active_children() == []


def test_the_error_of_a_failing_environment_holds_its_traceback():
    with pytest.raises(WorkerError, match="the joystick fell off"):
        costs_of(config_of(Counting, raises_at_step=2).model_dump())
