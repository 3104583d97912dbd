"""The contract of `Agent`, for every algorithm."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from corridor import ALGORITHMS, FROM_REPLAY, SPEC, corridor_for, make_config, run, set_state, state_of
from paac_cli.algorithms.agent import make_agent
from paac_cli.errors import CheckpointError
from paac_cli.learning.graphs import GraphFunction

every_algorithm = pytest.mark.parametrize("name", ALGORITHMS)


def config_of(name, **options):
    """A config of algorithm `name` with rollouts of three steps: episodes end inside them and with their last step."""
    steps = {} if name in FROM_REPLAY else {"num_steps": 3}
    return make_config(name, **ALGORITHMS[name] | steps | options)


@every_algorithm
@pytest.mark.parametrize(
    ("length", "truncates", "expected"),
    [
        (1, False, 1.0),  # terminated after every step: 1
        (1, True, 2.0),  # truncated after every step: 1 / (1 - 0.5)
        (7, True, 2.0),  # truncated inside rollouts and at their last step
    ],
)
def test_values_converge_to_their_closed_form_for_terminated_and_truncated_episodes(name, length, truncates, expected):
    if "+" in name and truncates and length == 1:
        pytest.skip("bootstraps from states of the recurrent cell with which it never acts")
    config = config_of(name, num_envs=8, gamma=0.5, optimizer={"name": "adam"}, lr_anneal_steps=4_000)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config, length=length, truncates=truncates), 500)
    value = agent.predict(np.ones((1, 1), np.float32), seed=0, step=0, greedy=True).value[0]
    assert value == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("name", ["paac+gru", "ppo+lstm", "nstep_q+gru"])
def test_a_recurrent_agent_bootstraps_with_the_state_after_its_last_action(name):
    options = {"num_epochs": 1, "num_minibatches": 1} if not name.startswith("paac") else {}
    if name.startswith("nstep_q"):
        options |= {"epsilon_start": 0.0, "epsilon_end": 0.0}  # the value of the action taken is that of the best one
    config = make_config(name, num_steps=1, gamma=0.5, **options)
    agent, obs = make_agent(config, SPEC), np.ones((1, 1), np.float32)
    first = agent.predict(obs, seed=0, step=0, greedy=True)
    second = agent.predict(obs, seed=0, step=1, greedy=True, state=first.state)
    (metrics,) = run(agent, corridor_for(config, length=50), 1)
    error = 1.0 + 0.5 * second.value[0] - first.value[0]
    assert metrics["train/value_loss"] == pytest.approx(error**2, rel=1e-5)


@every_algorithm
def test_after_many_updates_every_graph_was_traced_once(name):
    config = config_of(name)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 150)
    attributes = [*vars(agent).values(), *vars(agent.memory).values()]
    functions = [value for value in attributes if isinstance(value, GraphFunction)]
    assert len(functions) >= 2
    assert {len(function.calls()) for function in functions} <= {0, 1}
    assert len(agent._update.calls()) == 1


@every_algorithm
def test_an_agent_with_the_restored_state_of_another_continues_identically(name):
    config = config_of(name, network={"normalize_obs": True})
    first = make_agent(config, SPEC)
    run(first, corridor_for(config), 60)
    second = make_agent(config, SPEC)
    set_state(second, state_of(first))
    assert run(first, corridor_for(config), 60) == run(second, corridor_for(config), 60) != []
    for key, array in state_of(first).items():
        np.testing.assert_array_equal(array, state_of(second)[key], err_msg=key)


@every_algorithm
def test_the_result_depends_on_the_seed_and_nothing_else(name):
    def trained(seed):
        config = config_of(name, seed=seed)
        agent = make_agent(config, SPEC)
        run(agent, corridor_for(config), 60)
        return agent.policy.to_arrays()

    first, same, other = (trained(seed) for seed in (1, 1, 2))
    assert all((first[key] == same[key]).all() for key in first)
    assert any((first[key] != other[key]).any() for key in first)


@every_algorithm
def test_every_step_has_action_noise_of_its_own(name):
    constant_epsilon = {"epsilon_start": 0.5, "epsilon_end": 0.5} if "epsilon_anneal_steps" in ALGORITHMS[name] else {}
    config = config_of(name, num_envs=200, **constant_epsilon)
    agent, step = make_agent(config, SPEC), corridor_for(config).timestep()
    agent.act(step)  # 200 steps: sac has begun to follow its policy
    first, second = (agent.act(step).copy() for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize("name", ["ppo", "nstep_q"])
def test_every_epoch_has_a_permutation_of_its_own(name):
    """Two epochs in each of two updates."""
    config = config_of(name, num_minibatches=1)
    agent, orders = make_agent(config, SPEC), set()
    agent._update = lambda *inputs, update=agent._update: orders.add(tuple(inputs[-1])) or update(*inputs)
    run(agent, corridor_for(config), 6)
    assert {tuple(sorted(order)) for order in orders} == {tuple(range(12))}
    assert len(orders) == 4


@pytest.mark.parametrize(("name", "options"), [("dqn", {"steps_per_update": 2}), ("sac", {"utd_ratio": 0.5})])
def test_every_update_has_a_draw_of_its_own(name, options):
    """Two updates in the latest step, from the same transitions."""
    config = config_of(name, learning_starts=0, batch_size=16, **options)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 10)
    first, second = agent.memory.last_batch()["replayed/indices"].reshape(2, 16)
    assert (first != second).any()


@every_algorithm
def test_predictions_depend_on_the_policy_alone(name):
    config = config_of(name)
    agent, other = make_agent(config, SPEC), make_agent(config_of(name, seed=5), SPEC)
    run(agent, corridor_for(config), 60)
    other.policy.assign(agent.policy.to_arrays())
    obs = np.random.default_rng(0).normal(size=(16, 1)).astype(np.float32)
    for greedy in (False, True):
        expected, found = (each.predict(obs, seed=3, step=9, greedy=greedy) for each in (agent, other))
        for expected_array, found_array in zip(expected, found, strict=True):
            np.testing.assert_array_equal(found_array, expected_array)


@every_algorithm
def test_predicting_changes_nothing(name):
    config = config_of(name)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 30)
    before = state_of(agent)
    agent.predict(np.ones((3, 1), np.float32), seed=0, step=0, greedy=False)
    for key, array in state_of(agent).items():
        np.testing.assert_array_equal(array, before[key])


@every_algorithm
def test_if_one_array_of_a_state_does_not_fit_none_is_restored(name):
    config = config_of(name)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 60)
    before = state_of(agent)
    for part in (agent.policy, agent.learner):
        state = {key: array + 1 for key, array in part.to_arrays().items()}
        key = next(key for key in state if key.endswith("kernel"))
        array = state.pop(key)
        damaged = {
            "missing": {},
            "unknown": {key: array, "torso/9/kernel": array},
            "shape": {key: array[:, :1]} if array.shape[1] > 1 else {key: array[:1]},
            "dtype": {key: array.astype(np.float64)},
        }
        for damage, arrays in damaged.items():
            with pytest.raises(CheckpointError, match="kernel"):
                part.assign(state | arrays)
            for name_of_array, found in state_of(agent).items():
                np.testing.assert_array_equal(found, before[name_of_array], err_msg=f"{damage}: {name_of_array}")


@every_algorithm
def test_observation_statistics_are_part_of_the_policy(name):
    config = config_of(name, network={"normalize_obs": True})
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 60)
    assert agent.policy.to_arrays()["normalizer/mean"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "num_steps", "per_update"),
    [("paac", 3, 1), ("paac", 20, 3), ("ppo", 20, 3), ("nstep_q", 20, 3)],  # obs[20], obs[12], obs[4]
)
def test_on_policy_statistics_take_the_newest_observation_and_every_eighth_before_it(name, num_steps, per_update):
    config = config_of(name, num_steps=num_steps, network={"normalize_obs": True})
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 2 * num_steps)
    assert agent.policy.to_arrays()["normalizer/count"] == 2 * per_update * config.sampling.num_envs


@pytest.mark.parametrize("name", FROM_REPLAY)
def test_statistics_of_agents_with_a_replay_buffer_take_every_eighth_observation(name):
    config = config_of(name, network={"normalize_obs": True})
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 20)  # after 8 and 16 steps
    assert agent.policy.to_arrays()["normalizer/count"] == 2 * config.sampling.num_envs


@every_algorithm
def test_after_a_rewind_learning_continues_as_if_the_dropped_steps_had_never_been_taken(name):
    config = config_of(name)
    agent, expected = make_agent(config, SPEC), make_agent(config, SPEC)
    for each in (agent, expected):
        run(each, corridor_for(config), 30)
    agent.act(corridor_for(config).timestep())
    agent.memory.rewind(30 * config.sampling.num_envs)
    for key, array in state_of(expected).items():
        np.testing.assert_array_equal(state_of(agent)[key], array, err_msg=key)
    assert run(agent, corridor_for(config), 30) == run(expected, corridor_for(config), 30) != []


@pytest.mark.parametrize("name", ["paac", "ppo", "nstep_q"])
def test_the_last_batch_of_an_on_policy_agent_is_its_actions_and_final_values(name):
    config = config_of(name)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 6)
    shapes = {key: array.shape for key, array in agent.memory.last_batch().items()}
    assert shapes == {"action": (3, 4), "final_value": (3, 4)}


@pytest.mark.parametrize("truncates", [False, True])
@pytest.mark.parametrize("name", ["paac", "ppo", "nstep_q", "sac"])
def test_reward_statistics_are_part_of_the_learner_and_returns_begin_anew_with_every_episode(name, truncates):
    config = config_of(name, normalize_reward=True)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config, length=1, truncates=truncates), 30)
    learner = agent.learner.to_arrays()
    assert learner["reward_normalizer/mean"] == pytest.approx(1.0)  # episodes of one step with reward 1
    assert learner["reward_normalizer/variance"] == pytest.approx(0.0, abs=1e-6)


def test_greedy_actions_are_the_most_probable_and_samples_follow_the_policy():
    agent = make_agent(config_of("paac"), SPEC)
    obs = np.random.default_rng(0).normal(size=(400, 1)).astype(np.float32)
    greedy = agent.predict(obs, seed=0, step=0, greedy=True)
    np.testing.assert_array_equal(greedy.action, greedy.probability.argmax(axis=1))
    np.testing.assert_allclose(greedy.probability.sum(axis=1), 1.0, rtol=1e-5)
    sampled = agent.predict(obs, seed=0, step=0, greedy=False)
    assert sampled.action.mean() == pytest.approx(greedy.probability[:, 1].mean(), abs=0.1)
    assert (agent.predict(obs, seed=0, step=1, greedy=False).action != sampled.action).any()


@pytest.mark.parametrize("name", ["nstep_q", "dqn"])
def test_samples_of_q_learning_are_epsilon_greedy(name):
    agent = make_agent(config_of(name, epsilon_end=0.5), SPEC)
    obs = np.ones((1000, 1), np.float32)
    sampled, greedy = (agent.predict(obs, seed=0, step=0, greedy=greedy) for greedy in (False, True))
    assert set(greedy.action) == {greedy.probability[0].argmax()}
    assert sorted(greedy.probability[0]) == [0.0, 1.0]
    assert sorted(sampled.probability[0]) == [0.25, 0.75]
    assert (sampled.action != greedy.action).mean() == pytest.approx(0.25, abs=0.05)


@every_algorithm
def test_the_learning_rate_falls_to_zero_over_lr_anneal_steps(name):
    config = config_of(name, learning_rate=0.1, lr_anneal_steps=240)
    metrics = run(make_agent(config, SPEC), corridor_for(config), 90)
    rates = [row["train/learning_rate"] for row in metrics]
    assert rates[-1] == 0.0
    assert rates == sorted(rates, reverse=True)
    assert 0.0 < rates[0] < 0.1


@pytest.mark.parametrize("name", ["paac", "ppo"])
def test_after_ent_anneal_steps_there_is_no_entropy_bonus(name):
    """Without an entropy bonus, and with a perfect value from the start, the policy has nothing to learn."""
    options = {"ent_coef": 1.0, "vf_coef": 0.0, "gamma": 0.0, "num_steps": 3}
    for anneal_steps, changes in ((0, True), (1, False)):
        config = make_config(name, ent_anneal_steps=anneal_steps, **options)
        agent = make_agent(config, SPEC)
        state = state_of(agent)
        state["value/bias"][:], state["value/kernel"][:] = 1.0, 0.0
        state["policy/bias"][:] = [1.0, 0.0]
        set_state(agent, state)
        run(agent, corridor_for(config), 9)
        assert (state_of(agent)["policy/bias"] != state["policy/bias"]).any() == changes


def test_tensorflows_global_seed_does_not_matter():
    tf.random.set_seed(1)
    first = run(make_agent(config_of("ppo"), SPEC), corridor_for(config_of("ppo")), 9)
    tf.random.set_seed(2)
    assert first == run(make_agent(config_of("ppo"), SPEC), corridor_for(config_of("ppo")), 9)


def test_the_contract_is_imported_without_tensorflow():
    program = "import sys, paac_cli.algorithms.agent; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
