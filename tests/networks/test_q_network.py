"""Action values, and the actions chosen by them."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.q_network import QNetwork, select_q
from paac_cli.spec import ActionSpec, EnvSpec, discrete_action

OBS = tf.constant(np.random.default_rng(0).normal(size=(6, 3)), tf.float32)
NO_STATE = np.zeros((len(OBS), 0), np.float32)  # there is no recurrent cell
Q = tf.constant([[1.0, 3.0, 2.0, 0.0], [5.0, -1.0, 2.0, 4.0]])


def network(action=None, *, dueling=False, seed=0):
    spec = EnvSpec((3,), np.dtype(np.float32), action or discrete_action(("",) * 4), 30.0)
    config = NetworkConfig(torso="mlp", hidden_sizes=(8,))
    return QNetwork(config, spec, np.random.default_rng(seed), dueling=dueling)


def variables(model):
    return {variable.name.removesuffix(":0"): variable for variable in model.variables}


def key(step):
    return tf.constant([1, step], tf.int64)


@pytest.mark.parametrize(
    ("action", "others"),
    [
        (ActionSpec((2,), (3, 4)), "paac or ppo"),
        (ActionSpec((1,), (3,)), "paac or ppo"),
        (ActionSpec((2,), (), unbounded=("element 0 has no upper bound",)), "paac or ppo"),
        (ActionSpec((2,), ()), "sac, paac or ppo"),
    ],
)
def test_action_spaces_that_are_not_discrete_are_refused_with_the_algorithms_that_take_them(action, others):
    with pytest.raises(ConfigError, match=rf"needs a Discrete action space .*; use algorithm {others}$"):
        network(action)


def test_without_dueling_the_values_are_the_output_of_one_head():
    model = network()
    heads = variables(model)
    assert "value/kernel" not in heads
    features = tf.tanh(OBS @ heads["torso/0/kernel"] + heads["torso/0/bias"])
    np.testing.assert_allclose(model(OBS), features @ heads["q/kernel"] + heads["q/bias"], rtol=1e-5)


def test_dueling_values_are_the_states_value_plus_advantages_with_mean_zero():
    model = network(dueling=True)
    heads = variables(model)
    heads["q/bias"].assign([1.0, 2.0, 3.0, 4.0])
    heads["value/bias"].assign([0.5])
    features = tf.tanh(OBS @ heads["torso/0/kernel"] + heads["torso/0/bias"])
    value = (features @ heads["value/kernel"] + heads["value/bias"]).numpy()
    advantage = (features @ heads["q/kernel"] + heads["q/bias"]).numpy()
    q = model(OBS).numpy()
    np.testing.assert_allclose(q.mean(axis=1), value[:, 0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(q - q[:, :1], advantage - advantage[:, :1], rtol=1e-4, atol=1e-6)
    heads["q/bias"].assign_add([7.0] * 4)  # a constant for all actions changes no advantage
    np.testing.assert_allclose(model(OBS), q, atol=1e-5)


def test_select_q_takes_the_values_of_the_given_actions():
    assert select_q(Q, tf.constant([2, 0])).numpy().tolist() == [2, 5]


def test_select_q_has_a_gradient_for_the_given_actions_only():
    with tf.GradientTape() as tape:
        tape.watch(Q)
        total = tf.reduce_sum(select_q(Q, tf.constant([2, 0])) * [3.0, 5.0])
    assert tape.gradient(total, Q).numpy().tolist() == [[0, 0, 3, 0], [5, 0, 0, 0]]


def test_an_action_is_random_with_probability_epsilon_and_else_the_best():
    model, counts = network(), np.zeros((2, 4))
    for step in range(20):
        actions = model.epsilon_greedy(tf.repeat(Q, 500, axis=0), tf.constant(0.4), key(step)).numpy()
        assert actions.dtype == np.int32
        counts += [np.bincount(half, minlength=4) for half in np.split(actions, 2)]
    for row, best in enumerate([1, 0]):
        expected = 10_000 * (np.full(4, 0.1) + 0.6 * (np.arange(4) == best))
        assert ((counts[row] - expected) ** 2 / expected).sum() < 16.3  # 3 degrees of freedom, p = 0.001


def test_with_epsilon_zero_actions_are_the_best_and_with_one_they_are_uniform():
    model, many = network(), tf.repeat(Q[:1], 4000, axis=0)
    assert set(model.epsilon_greedy(many, tf.constant(0.0), key(0)).numpy()) == {1}
    counts = np.bincount(model.epsilon_greedy(many, tf.constant(1.0), key(0)).numpy(), minlength=4)
    assert ((counts - 1000) ** 2 / 1000).sum() < 16.3  # 3 degrees of freedom, p = 0.001


def test_an_action_depends_on_its_row_and_the_seed_alone():
    model, draws = network(), []
    for step in range(50):
        both = model.epsilon_greedy(Q, tf.constant(0.5), key(step)).numpy()
        assert (both == model.epsilon_greedy(Q, tf.constant(0.5), key(step)).numpy()).all()
        assert both[0] == model.epsilon_greedy(tf.stack([Q[0], -Q[1]]), tf.constant(0.5), key(step)).numpy()[0]
        draws.append(tuple(both))
    assert len(set(draws)) > 3


@pytest.mark.parametrize("dueling", [False, True])
def test_play_returns_actions_the_value_of_the_best_and_the_probability_of_each(dueling):
    model = network(dueling=dueling)
    q = model(OBS).numpy()
    best = np.eye(4)[q.argmax(axis=1)]
    action, value, probability, _ = model.play(OBS, NO_STATE, key(3), tf.constant(False), 0.2)
    np.testing.assert_array_equal(action, model.epsilon_greedy(tf.constant(q), tf.constant(0.2), key(3)))
    np.testing.assert_array_equal(value, q.max(axis=1))
    np.testing.assert_allclose(probability, 0.8 * best + 0.05, rtol=1e-6)
    action, value, probability, _ = model.play(OBS, NO_STATE, key(3), tf.constant(True), 0.2)
    np.testing.assert_array_equal(action, q.argmax(axis=1))
    np.testing.assert_array_equal(value, q.max(axis=1))
    np.testing.assert_array_equal(probability, best)


def test_networks_with_the_same_seed_are_equal():
    for first, second in zip(network(dueling=True).variables, network(dueling=True).variables, strict=True):
        np.testing.assert_array_equal(first.numpy(), second.numpy())
    assert (network(seed=1)(OBS).numpy() != network()(OBS).numpy()).any()
