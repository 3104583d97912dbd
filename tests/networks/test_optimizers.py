import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.algorithms import AdamConfig, RmsPropConfig
from paac_cli.networks.optimizers import linear_schedule, make_optimizer


def test_rmsprop_by_hand_with_epsilon_inside_the_root_and_a_mean_square_that_starts_at_one():
    weight = tf.Variable([1.0, 1.0], name="w")
    optimizer = make_optimizer(RmsPropConfig(decay=0.99, epsilon=0.1, initial_mean_square=1.0), [weight])
    optimizer.apply([tf.constant([2.0, 0.0])], tf.constant(0.5))
    # s = 0.99 * 1 + 0.01 * 4 = 1.03;  w = 1 - 0.5 * 2 / sqrt(1.03 + 0.1)
    np.testing.assert_allclose(weight.numpy(), [1 - 1 / np.sqrt(1.13), 1.0], rtol=1e-6)
    optimizer.apply([tf.constant([2.0, 0.0])], tf.constant(0.5))
    second = 1 / np.sqrt(0.99 * 1.03 + 0.04 + 0.1)
    np.testing.assert_allclose(weight.numpy(), [1 - 1 / np.sqrt(1.13) - second, 1.0], rtol=1e-6)


def test_rmsprop_is_kerass_where_keras_can_do_it():
    gradients = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    ours, keras_weight = tf.Variable(np.ones(3, np.float32), name="w"), tf.Variable(np.ones(3, np.float32))
    optimizer = make_optimizer(RmsPropConfig(decay=0.9, epsilon=1e-3), [ours])
    keras = tf.keras.optimizers.RMSprop(0.01, rho=0.9, epsilon=1e-3)
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient)], tf.constant(0.01))
        keras.apply_gradients([(tf.constant(gradient), keras_weight)])
    np.testing.assert_allclose(ours.numpy(), keras_weight.numpy(), rtol=1e-5)


def test_adam_by_hand():
    weight = tf.Variable([1.0], name="w")
    optimizer = make_optimizer(AdamConfig(epsilon=1e-8), [weight])
    optimizer.apply([tf.constant([4.0])], tf.constant(0.1))
    # the first step of Adam is the rate times the sign of the gradient
    np.testing.assert_allclose(weight.numpy(), [0.9], rtol=1e-5)
    optimizer.apply([tf.constant([-2.0])], tf.constant(0.1))
    mean = (0.9 * 0.4 - 0.1 * 2) / (1 - 0.9**2)
    square = (0.999 * 0.016 + 0.001 * 4) / (1 - 0.999**2)
    np.testing.assert_allclose(weight.numpy(), [0.9 - 0.1 * mean / np.sqrt(square)], rtol=1e-4)


@pytest.mark.parametrize(("steps", "rate"), [(0, 0.0224), (40_000_000, 0.0112), (80_000_000, 0.0), (90_000_000, 0.0)])
def test_linear_schedule_of_the_paper(steps, rate):
    assert linear_schedule(0.0224, 80_000_000, tf.constant(steps, tf.int64)).numpy() == pytest.approx(rate)


def test_a_schedule_over_zero_steps_is_constant():
    assert linear_schedule(0.1, 0, tf.constant(10**9, tf.int64)).numpy() == np.float32(0.1)
