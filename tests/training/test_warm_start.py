"""Runs that begin with the weights of a trained policy."""

import numpy as np
import pytest

from corridor import SPEC, corridor_for, make_config, run, state_of
from paac_cli.algorithms.agent import make_agent
from paac_cli.errors import ConfigError
from paac_cli.spec import ActionSpec, discrete_action
from paac_cli.training.warm_start import begin_with

THREE_ACTIONS = SPEC._replace(action=discrete_action(("a", "b", "c")))


def trained_policy(name="paac", spec=SPEC, **options):
    config = make_config(name, seed=7, **options)
    return make_agent(config, spec).policy.to_arrays()


def test_a_policy_of_the_same_network_is_taken_whole():
    policy = trained_policy(network={"normalize_obs": True})
    policy["normalizer/mean"] = np.float32([3.0])
    agent = make_agent(make_config("ppo", network={"normalize_obs": True}), SPEC)
    result = begin_with(agent, policy, "there")
    for name, array in agent.policy.to_arrays().items():
        np.testing.assert_array_equal(array, policy[name], err_msg=name)
    assert result.new == {}
    assert str(result) == f"Beginning with {len(policy)} arrays of the policy in there"


def test_with_other_actions_the_head_starts_anew():
    agent = make_agent(make_config("paac"), THREE_ACTIONS)
    before, policy = agent.policy.to_arrays(), trained_policy()
    result = begin_with(agent, policy, "there")
    assert sorted(result.new) == ["policy/bias", "policy/kernel"]
    for name, array in agent.policy.to_arrays().items():
        expected = before if name.startswith("policy/") else policy
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    assert sorted(result.unused) == ["policy/bias", "policy/kernel"]
    assert str(result).endswith(
        "; new: policy/bias [3], policy/kernel [16, 3]; unused: policy/bias [2], policy/kernel [16, 2]"
    )


def test_heads_with_another_meaning_are_not_taken_even_if_their_shapes_fit():
    continuous = SPEC._replace(action=ActionSpec((2,), ()))
    agent = make_agent(make_config("paac"), continuous)
    result = begin_with(agent, trained_policy(spec=SPEC), "there")  # logits of two choices, not two means
    assert {"policy/kernel", "policy/bias", "policy/log_std"} <= {*result.new}
    assert "value/kernel" in result.taken
    agent = make_agent(make_config("nstep_q", dueling=True), SPEC)
    result = begin_with(agent, trained_policy("nstep_q"), "there")
    assert {"q/kernel", "q/bias", "value/kernel", "value/bias"} == {*result.new}
    four = SPEC._replace(action=ActionSpec((4,), ()))
    agent = make_agent(make_config("sac"), continuous)
    result = begin_with(agent, trained_policy("paac", spec=four), "there")
    assert "policy/squashed_gaussian/kernel" in result.new


@pytest.mark.parametrize("source", [True, False])
def test_a_value_head_is_not_taken_if_only_one_policy_normalises_values(source):
    policy = trained_policy("ppo", normalize_value=source)
    agent = make_agent(make_config("ppo", normalize_value=not source), SPEC)
    result = begin_with(agent, policy, "there")
    assert {"value/kernel", "value/bias"} <= {*result.new}
    assert "policy/kernel" in result.taken
    agent = make_agent(make_config("ppo", normalize_value=source), SPEC)
    assert begin_with(agent, policy, "there").new == {}


@pytest.mark.parametrize("source", [True, False])
def test_a_value_head_is_taken_only_with_its_torso(source):
    policy = trained_policy(network={"separate_value": source})
    agent = make_agent(make_config("paac", network={"separate_value": not source}), SPEC)
    result = begin_with(agent, policy, "there")
    assert {name.partition("/")[0] for name in result.taken} == {"torso", "policy"}
    agent = make_agent(make_config("paac", network={"separate_value": source}), SPEC)
    assert begin_with(agent, policy, "there").new == {}


CELL = {"recurrent": {"cell": "gru", "size": 16}}  # as wide as the torso


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ({}, CELL),
        (CELL, {}),
        (CELL, {"recurrent": {"cell": "lstm", "size": 16}}),
        (CELL, CELL | {"hidden_sizes": [16, 8]}),  # other inputs, so other kernels; the recurrent kernel fits
    ],
)
def test_a_cell_is_taken_as_a_whole_and_heads_only_with_their_cell(source, own):
    agent = make_agent(make_config("paac", network=own), SPEC)
    result = begin_with(agent, trained_policy(network=source), "there")
    assert {name.partition("/")[0] for name in result.taken} == {"torso"}


def test_a_policy_with_the_same_cell_is_taken_whole():
    agent = make_agent(make_config("paac", network=CELL), SPEC)
    assert begin_with(agent, trained_policy(network=CELL), "there").new == {}


@pytest.mark.parametrize(("source", "own"), [(True, False), (False, True)])
def test_only_one_policy_that_normalises_observations_is_an_error(source, own):
    agent = make_agent(make_config("paac", network={"normalize_obs": own}), SPEC)
    policy = trained_policy(network={"normalize_obs": source})
    with pytest.raises(ConfigError, match=f"use --set network.normalize_obs={str(source).lower()}"):
        begin_with(agent, policy, "there")


@pytest.mark.parametrize(("name", "options"), [("dqn", {}), ("nstep_q", {"target_update_steps": 80}), ("sac", {})])
def test_target_networks_begin_as_copies_of_what_was_taken(name, options):
    agent = make_agent(make_config(name, **options), SPEC)
    begin_with(agent, trained_policy(name, **options), "there")
    policy, learner = agent.policy.to_arrays(), agent.learner.to_arrays()
    targets = [each for each in learner if each.startswith("target/")]
    assert targets
    for target in targets:
        np.testing.assert_array_equal(learner[target], policy[target.removeprefix("target/")], err_msg=target)


def test_the_optimiser_and_the_step_counter_stay_new():
    config = make_config("paac")
    source, agent = make_agent(config, SPEC), make_agent(config, SPEC)
    run(source, corridor_for(config), 20)
    before = {name: array for name, array in state_of(agent).items() if name not in agent.policy.to_arrays()}
    begin_with(agent, source.policy.to_arrays(), "there")
    for name, array in before.items():
        np.testing.assert_array_equal(state_of(agent)[name], array, err_msg=name)


def test_a_policy_of_which_no_weights_fit_is_refused():
    agent = make_agent(make_config("paac", network={"hidden_sizes": [32], "normalize_obs": True}), SPEC)
    policy = {name: array for name, array in trained_policy().items() if not name.startswith(("policy", "value"))}
    policy["normalizer/mean"] = np.float32([3.0])
    with pytest.raises(
        ConfigError, match=r"no weights of the policy in there fit this network, which has .*kernel \[32, 2\]"
    ):
        begin_with(agent, policy, "there")
