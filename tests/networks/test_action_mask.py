"""Action masks: illegal actions have probability 0 in every head, and masks do not reach the layers."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.algorithms import HlGaussConfig
from paac_cli.config.schema import NetworkConfig
from paac_cli.networks.action_mask import ILLEGAL
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.normalizer import moments_of
from paac_cli.networks.q_network import QNetwork
from paac_cli.networks.soft_actor_critic import DiscreteActions, SoftActorCritic, min_q_of
from paac_cli.networks.value_bins import ValueBins
from paac_cli.spec import EnvSpec, discrete_action

PLAIN = EnvSpec((4, 5, 2), np.dtype(np.uint8), discrete_action(tuple("abc")), 30.0)
MASKED = PLAIN.with_mask()
B = 500
LEGAL = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 1, 1]] * (B // 4), np.bool_)
IMAGES = np.random.default_rng(0).integers(0, 255, (B, *PLAIN.obs_shape)).astype(np.uint8)
OBS = np.concatenate([IMAGES.reshape(B, -1), LEGAL.astype(np.uint8)], axis=1)
NO_STATE = np.zeros((B, 0), np.float32)
CONFIG = NetworkConfig(torso="mlp", hidden_sizes=(8,), normalize_obs=True)


def rng():
    return np.random.default_rng(1)


def test_the_spec_appends_the_mask_to_a_vector_of_the_observation():
    assert MASKED.obs_shape == (4 * 5 * 2 + 3,)
    assert MASKED.without_mask() == PLAIN
    assert PLAIN.without_mask() == PLAIN


def test_random_actions_are_uniform_over_the_legal_ones():
    actions = MASKED.draw_actions(rng(), np.repeat(OBS[:1], 3000, axis=0))
    assert np.bincount(actions, minlength=3).tolist()[1] == 0
    assert np.bincount(actions)[0] == pytest.approx(1500, abs=150)


def test_logits_of_illegal_actions_are_excluded_and_the_others_are_those_without_a_mask():
    masked, plain = ActorCritic(CONFIG, MASKED, rng()), ActorCritic(CONFIG, PLAIN, rng())
    logits, value, _ = masked.step(OBS, NO_STATE)
    expected, expected_value, _ = plain.step(IMAGES, NO_STATE)
    np.testing.assert_allclose(value, expected_value, rtol=1e-6)
    np.testing.assert_allclose(logits, np.where(LEGAL, expected, ILLEGAL), rtol=1e-5, atol=1e-7)


def test_a_policy_never_takes_an_illegal_action_and_its_entropy_is_that_of_the_legal_ones():
    network = ActorCritic(CONFIG, MASKED, rng())
    logits, *_ = network.step(OBS, NO_STATE)
    distribution = network.distribution
    for step in range(5):
        for greedy in (False, True):
            action, _, probability, _ = network.play(OBS, NO_STATE, tf.constant([1, step]), tf.constant(greedy))
            assert LEGAL[np.arange(B), action].all()
    np.testing.assert_array_equal(probability.numpy()[~LEGAL], 0.0)
    for row in range(4):
        chances = np.exp(np.float64(logits[row].numpy()[LEGAL[row]]))
        chances /= chances.sum()
        assert distribution.entropy(logits)[row].numpy() == pytest.approx(-(chances * np.log(chances)).sum(), abs=1e-6)


def test_no_gradient_comes_from_illegal_actions():
    network = ActorCritic(CONFIG, MASKED, rng())
    features_of_one = OBS[1:2]  # only action 1 is legal, so nothing can be learned about the policy
    with tf.GradientTape() as tape:
        logits, *_ = network.step(features_of_one, NO_STATE)
        distribution = network.distribution
        loss = tf.reduce_sum(distribution.entropy(logits) + distribution.log_prob(logits, tf.constant([1])))
    for gradient in tape.gradient(loss, network.trainable_variables, unconnected_gradients="zero"):
        assert not np.any(gradient)


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("bins", [None, ValueBins(HlGaussConfig())])
def test_values_of_illegal_actions_are_neither_the_best_nor_taken_at_random(dueling, bins):
    network = QNetwork(CONFIG, MASKED, rng(), dueling=dueling, bins=bins)
    plain = QNetwork(CONFIG, PLAIN, rng(), dueling=dueling, bins=bins)
    q = network(OBS)
    np.testing.assert_allclose(q, np.where(LEGAL, plain(IMAGES), ILLEGAL), rtol=1e-4, atol=1e-6)
    for epsilon in (0.0, 0.5, 1.0):
        action, value, probability, _ = network.play(OBS, NO_STATE, tf.constant([1, 2]), tf.constant(False), epsilon)
        assert LEGAL[np.arange(B), action].all()
        np.testing.assert_array_equal(probability.numpy()[~LEGAL], 0.0)
        np.testing.assert_allclose(probability.numpy().sum(axis=1), 1.0, rtol=1e-6)
        np.testing.assert_allclose(value, np.where(LEGAL, q, -np.inf).max(axis=1))


def test_random_actions_of_epsilon_greedy_are_uniform_over_the_legal_ones():
    q = tf.constant(np.repeat([[ILLEGAL, 1.0, ILLEGAL, 3.0, 2.0]], 6000, axis=0), tf.float32)
    network = QNetwork(CONFIG, MASKED, rng())
    actions = network.epsilon_greedy(q, tf.constant(1.0), tf.constant([1, 2], tf.int64)).numpy()
    counts = np.bincount(actions, minlength=5)
    assert counts[[0, 2]].tolist() == [0, 0]
    np.testing.assert_allclose(counts[[1, 3, 4]], 2000, atol=200)
    assert network.expected_q(q, tf.constant(1.0))[0].numpy() == pytest.approx(2.0)
    assert network.expected_q(q, tf.constant(0.25))[0].numpy() == pytest.approx(0.75 * 3.0 + 0.25 * 2.0)


def test_if_all_actions_are_legal_random_actions_are_those_without_a_mask():
    masked, plain = (QNetwork(CONFIG, spec, rng()) for spec in (MASKED, PLAIN))
    q = tf.constant(rng().normal(size=(200, 5)), tf.float32)
    key = tf.constant([1, 2], tf.int64)
    with_mask, without = (network.epsilon_greedy(q, tf.constant(1.0), key) for network in (masked, plain))
    np.testing.assert_array_equal(with_mask, without)
    np.testing.assert_allclose(
        masked.expected_q(q, tf.constant(0.5)), plain.expected_q(q, tf.constant(0.5)), rtol=1e-4, atol=1e-6
    )


def test_soft_actor_critic_weighs_legal_actions_only():
    actions = DiscreteActions(3, has_mask=True)
    network = SoftActorCritic(CONFIG, MASKED, actions, rng(), critic_layer_norm=False)
    parameters = network.parameters(OBS)
    seed, alpha = tf.constant([1, 2], tf.int64), tf.constant(0.3)
    for sampled in (actions.sample(parameters, seed), actions.uniform(parameters, seed), actions.mode(parameters)):
        assert LEGAL[np.arange(B), sampled].all()
    scaled = network.scaled(OBS)
    assert scaled.shape == IMAGES.shape
    value, entropy = actions.soft_value(parameters, min_q_of(network.critics, scaled), alpha, seed)
    assert entropy.numpy()[LEGAL.sum(axis=1) == 1] == pytest.approx(0.0, abs=1e-6)
    q = np.minimum(*(critic(scaled).numpy() for critic in network.critics))
    only = LEGAL.sum(axis=1) == 1
    np.testing.assert_allclose(value.numpy()[only], q[only][:, 1], rtol=1e-4, atol=1e-6)


def test_statistics_of_observations_leave_the_mask_out():
    network = ActorCritic(CONFIG, MASKED, rng())
    network.observe(OBS, moments_of)
    means = {variable.name: variable.numpy() for variable in network.variables}["normalizer/mean:0"]
    np.testing.assert_allclose(means, IMAGES.mean(axis=0) / 255.0, rtol=1e-4)
