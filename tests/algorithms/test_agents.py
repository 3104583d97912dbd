"""What every algorithm owes the loop, whatever it learns."""

import numpy as np
import pytest
import tensorflow as tf

from corridor import ALGORITHMS, SPEC, corridor_for, make_config, run, set_state, state_of
from paac_cli.algorithms.agent import make_agent
from paac_cli.errors import CheckpointError

every_algorithm = pytest.mark.parametrize("name", ALGORITHMS)


def configured(name, **options):
    steps = {} if name == "dqn" else {"num_steps": 3}
    return make_config(name, **ALGORITHMS[name] | steps | options)


@every_algorithm
@pytest.mark.parametrize(
    ("length", "truncates", "expected"),
    [
        (1, False, 1.0),  # every step is the last: 1
        (1, True, 10.0),  # cut off at every step, but endless: 1 / (1 - 0.9)
        (7, True, 10.0),  # cut off in mid-rollout and on its edge
    ],
)
def test_the_value_learned_where_episodes_end_is_the_closed_form_one(name, length, truncates, expected):
    config = configured(name, num_envs=8, gamma=0.9, optimizer={"name": "adam"}, lr_anneal_steps=12_000)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config, length=length, truncates=truncates), 1500)
    value = agent.predict(np.ones((1, 1), np.float32), seed=0, step=0, greedy=True).value[0]
    assert value == pytest.approx(expected, rel=0.03)


@every_algorithm
def test_one_trace_each_after_many_updates(name):
    config = configured(name)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 150)
    functions = [part for part in vars(agent).values() if hasattr(part, "experimental_get_tracing_count")]
    assert len(functions) >= 2
    assert {function.experimental_get_tracing_count() for function in functions} <= {0, 1}
    assert agent._update.experimental_get_tracing_count() == 1


@every_algorithm
def test_the_state_of_one_gives_another_the_same_run(name):
    config = configured(name, network={"normalize_obs": True})
    first = make_agent(config, SPEC)
    run(first, corridor_for(config), 60)
    second = make_agent(config, SPEC)
    set_state(second, state_of(first))
    assert run(first, corridor_for(config), 60) == run(second, corridor_for(config), 60) != []
    for part, array in state_of(first).items():
        np.testing.assert_array_equal(array, state_of(second)[part], err_msg=part)


@every_algorithm
def test_the_seed_alone_decides(name):
    def trained(seed):
        config = configured(name, seed=seed)
        agent = make_agent(config, SPEC)
        run(agent, corridor_for(config), 60)
        return agent.policy.to_arrays()

    first, same, other = (trained(seed) for seed in (1, 1, 2))
    assert all((first[part] == same[part]).all() for part in first)
    assert any((first[part] != other[part]).any() for part in first)


@every_algorithm
def test_the_policy_is_all_that_playing_takes(name):
    config = configured(name)
    agent, other = make_agent(config, SPEC), make_agent(configured(name, seed=5), SPEC)
    run(agent, corridor_for(config), 60)
    other.policy.assign(agent.policy.to_arrays())
    obs = np.random.default_rng(0).normal(size=(16, 1)).astype(np.float32)
    for greedy in (False, True):
        ours, theirs = (each.predict(obs, seed=3, step=9, greedy=greedy) for each in (agent, other))
        for one, another in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, another)


@every_algorithm
def test_predicting_changes_nothing(name):
    config = configured(name)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 30)
    before = state_of(agent)
    agent.predict(np.ones((3, 1), np.float32), seed=0, step=0, greedy=False)
    for part, array in state_of(agent).items():
        np.testing.assert_array_equal(array, before[part])


@every_algorithm
@pytest.mark.parametrize("part", ["policy", "learner"])
@pytest.mark.parametrize("damage", ["missing", "unknown", "shape", "dtype"])
def test_a_state_that_does_not_fit_is_refused_whole(name, part, damage):
    config = configured(name)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 60)
    before, state = state_of(agent), {key: array + 1 for key, array in getattr(agent, part).to_arrays().items()}
    key = next(key for key in state if key.endswith("kernel"))
    array = state.pop(key)
    state |= {
        "missing": {},
        "unknown": {key: array, "torso/9/kernel": array},
        "shape": {key: array[:, :1]} if array.shape[1] > 1 else {key: array[:1]},
        "dtype": {key: array.astype(np.float64)},
    }[damage]
    with pytest.raises(CheckpointError, match="kernel"):
        getattr(agent, part).assign(state)
    for key, array in state_of(agent).items():
        np.testing.assert_array_equal(array, before[key], err_msg=key)


@every_algorithm
def test_normalised_observations_are_part_of_the_policy(name):
    config = configured(name, network={"normalize_obs": True})
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 60)
    assert agent.policy.to_arrays()["normalizer/mean"] == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["paac", "ppo", "nstep_q"])
def test_normalised_rewards_are_those_of_the_running_deviation(name):
    config = configured(name, normalize_reward=True)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config, length=1, truncates=False), 30)
    learner = agent.learner.to_arrays()
    assert learner["reward_normalizer/mean"] == pytest.approx(1.0)  # episodes of one step, which pays 1
    assert learner["reward_normalizer/variance"] == pytest.approx(0.0, abs=1e-6)


def test_greedy_takes_the_most_probable_and_sampling_follows_the_policy():
    agent = make_agent(configured("paac"), SPEC)
    obs = np.random.default_rng(0).normal(size=(400, 1)).astype(np.float32)
    greedy = agent.predict(obs, seed=0, step=0, greedy=True)
    np.testing.assert_array_equal(greedy.action, greedy.probability.argmax(axis=1))
    np.testing.assert_allclose(greedy.probability.sum(axis=1), 1.0, rtol=1e-5)
    drawn = agent.predict(obs, seed=0, step=0, greedy=False)
    assert drawn.action.mean() == pytest.approx(greedy.probability[:, 1].mean(), abs=0.1)
    assert (agent.predict(obs, seed=0, step=1, greedy=False).action != drawn.action).any()


@pytest.mark.parametrize("name", ["nstep_q", "dqn"])
def test_sampling_from_action_values_is_epsilon_greedy(name):
    agent = make_agent(configured(name, epsilon_end=0.5), SPEC)
    obs = np.ones((1000, 1), np.float32)
    drawn, greedy = (agent.predict(obs, seed=0, step=0, greedy=greedy) for greedy in (False, True))
    assert set(greedy.action) == {greedy.probability[0].argmax()}
    assert sorted(greedy.probability[0]) == [0.0, 1.0]
    assert sorted(drawn.probability[0]) == [0.25, 0.75]
    assert (drawn.action != greedy.action).mean() == pytest.approx(0.25, abs=0.05)


@every_algorithm
def test_the_learning_rate_follows_the_steps(name):
    config = configured(name, learning_rate=0.1, lr_anneal_steps=240)
    metrics = run(make_agent(config, SPEC), corridor_for(config), 90)
    rates = [row["train/learning_rate"] for row in metrics]
    assert rates[-1] == 0.0
    assert rates == sorted(rates, reverse=True)
    assert 0.0 < rates[0] < 0.1


def test_tensorflow_draws_nothing_from_global_state():
    tf.random.set_seed(1)
    first = run(make_agent(configured("ppo"), SPEC), corridor_for(configured("ppo")), 9)
    tf.random.set_seed(2)
    assert first == run(make_agent(configured("ppo"), SPEC), corridor_for(configured("ppo")), 9)
