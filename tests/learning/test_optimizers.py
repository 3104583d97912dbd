"""Optimisers by hand and against Keras, and their reaction to losses that are not finite."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.optimizers import AdamConfig, RAdamConfig, RmsPropConfig
from paac_cli.learning.optimizers import CheckedOptimizer, make_optimizer
from paac_cli.learning.process_group import ProcessGroup


def test_rmsprop_by_hand_with_epsilon_inside_the_root_and_an_initial_mean_square_of_one():
    weight = tf.Variable([1.0, 1.0], name="w")
    optimizer = make_optimizer(RmsPropConfig(decay=0.99, epsilon=0.1, initial_mean_square=1.0), [weight])
    optimizer.apply([tf.constant([2.0, 0.0])], tf.constant(0.5))
    # s = 0.99 * 1 + 0.01 * 4 = 1.03;  w = 1 - 0.5 * 2 / sqrt(1.03 + 0.1)
    np.testing.assert_allclose(weight.numpy(), [1 - 1 / np.sqrt(1.13), 1.0], rtol=1e-6)
    optimizer.apply([tf.constant([2.0, 0.0])], tf.constant(0.5))
    second = 1 / np.sqrt(0.99 * 1.03 + 0.04 + 0.1)
    np.testing.assert_allclose(weight.numpy(), [1 - 1 / np.sqrt(1.13) - second, 1.0], rtol=1e-6)


def test_rmsprop_with_momentum_by_hand():
    """The mean square stays 1, so that every gradient of 1 is divided by sqrt(1 + 3) = 2."""
    weight = tf.Variable([1.0], name="w")
    optimizer = make_optimizer(RmsPropConfig(momentum=0.5, epsilon=3.0, initial_mean_square=1.0), [weight])
    for expected in (0.5, -0.25, -1.125):  # after steps of 0.5, 0.25 + 0.5 and 0.375 + 0.5
        optimizer.apply([tf.constant([1.0])], tf.constant(1.0))
        np.testing.assert_allclose(weight.numpy(), [expected], rtol=1e-6)


def test_rmsprop_with_an_initial_mean_square_of_zero_equals_keras():
    gradients = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    weight, keras_weight = tf.Variable(np.ones(3, np.float32), name="w"), tf.Variable(np.ones(3, np.float32))
    optimizer = make_optimizer(RmsPropConfig(decay=0.9, epsilon=1e-3), [weight])
    keras = tf.keras.optimizers.RMSprop(0.01, rho=0.9, epsilon=1e-3)
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient)], tf.constant(0.01))
        keras.apply_gradients([(tf.constant(gradient), keras_weight)])
    np.testing.assert_allclose(weight.numpy(), keras_weight.numpy(), rtol=1e-5)


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


def radam(weight, gradients, rate, *, beta_1, beta_2, epsilon):
    """Algorithm 2 of Liu et al. 2020 with a threshold of 5: the weight after every gradient, and whether rectified."""
    mean = square = 0.0
    limit = 2 / (1 - beta_2) - 1
    for t, gradient in enumerate(gradients, start=1):
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        direction = mean / (1 - beta_1**t)
        rho = limit - 2 * t * beta_2**t / (1 - beta_2**t)
        if rho > 5:
            squared_rectification = ((rho - 4) * (rho - 2) * limit) / ((limit - 4) * (limit - 2) * rho)
            direction = direction * np.sqrt(squared_rectification) / (np.sqrt(square / (1 - beta_2**t)) + epsilon)
        weight = weight - rate * direction
        yield weight, rho > 5


@pytest.mark.parametrize(("beta_2", "first"), [(0.999, 6), (0.9, 6), (0.8, 7), (0.6, None), (0.0, None)])
def test_radam_equals_the_algorithm_of_the_paper(beta_2, first):
    """first: number of the first rectified update, None if there is none."""
    gradients = np.random.default_rng(0).normal(2.0, 3.0, size=(20, 3)).astype(np.float32)
    weight = tf.Variable([1.0, -2.0, 0.5], name="w")
    optimizer = make_optimizer(RAdamConfig(beta_1=0.9, beta_2=beta_2, epsilon=1e-3), [weight])
    expected = radam(weight.numpy(), gradients.astype(np.float64), 0.05, beta_1=0.9, beta_2=beta_2, epsilon=1e-3)
    apply = tf.function(optimizer.apply)
    for update, (gradient, (after, is_rectified)) in enumerate(zip(gradients, expected, strict=True), start=1):
        apply([tf.constant(gradient)], tf.constant(0.05))
        assert is_rectified == (first is not None and update >= first)
        np.testing.assert_allclose(weight.numpy(), after, rtol=1e-4, atol=1e-5)


OPTIMIZERS = {"rmsprop": RmsPropConfig(momentum=0.9), "adam": AdamConfig(), "radam": RAdamConfig()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_continues_identically_from_its_slots(name):
    gradients = [tf.constant(gradient) for gradient in np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)]
    weights = [tf.Variable(tf.ones(3), name="w") for _ in range(2)]
    whole, first, second = (make_optimizer(OPTIMIZERS[name], [weight]) for weight in (*weights, weights[1]))
    for update, gradient in enumerate(gradients):
        if update == 7:
            for slot, other in zip(second.slots, first.slots, strict=True):
                slot.assign(other)
        whole.apply([gradient], tf.constant(0.1))
        (first if update < 7 else second).apply([gradient], tf.constant(0.1))
    np.testing.assert_array_equal(weights[0].numpy(), weights[1].numpy())


def test_unused_weights_get_a_gradient_of_zero_and_the_others_are_clipped_together():
    used, unused = tf.Variable([3.0, 4.0]), tf.Variable([7.0])
    with tf.GradientTape() as tape:
        loss = 0.5 * tf.reduce_sum(tf.square(used))
    config = RmsPropConfig(decay=1.0 - 1e-7, epsilon=1.0)  # gradient descent
    optimizer = CheckedOptimizer(config, [used, unused], 1.0, ProcessGroup(1))
    metrics = optimizer.step(tape, loss, tf.constant(1.0), {"train/loss": loss})
    assert {name: value.numpy() for name, value in metrics.items()} == pytest.approx(
        {"train/loss": 12.5, "train/grad_norm": 5.0, "train/learning_rate": 1.0}
    )
    np.testing.assert_allclose(used, [3.0 - 0.6, 4.0 - 0.8], rtol=1e-6)
    np.testing.assert_array_equal(unused, [7.0])


@pytest.mark.parametrize(
    "bad",
    [(np.nan, 0.0), (np.inf, 0.0), (1.0, np.nan), (1.0, -np.inf), (2e38, 0.0)],
    ids=["gradient nan", "gradient inf", "loss nan", "loss inf", "norm overflows"],
)
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_after_the_first_loss_or_gradient_that_is_not_finite_nothing_changes_any_more(name, jit_compile, bad):
    """The loss is the scaled sum of the weights, plus a constant that does not change the gradient."""
    weight = tf.Variable([1.0, 2.0, 3.0, 4.0], name="w")
    optimizer = CheckedOptimizer(OPTIMIZERS[name], [weight], 1.0, ProcessGroup(1))

    @tf.function(jit_compile=jit_compile)
    def step(scale, constant):
        with tf.GradientTape() as tape:
            loss = scale * tf.reduce_sum(weight) + constant
        return optimizer.step(tape, loss, tf.constant(0.1), {})["train/grad_norm"]

    def state():
        return [variable.numpy().copy() for variable in (weight, *optimizer.slots)]

    before = state()
    assert step(tf.constant(3.0), tf.constant(0.0)).numpy() == pytest.approx(6.0)
    good = state()
    assert any((one != other).any() for one, other in zip(before, good, strict=True))
    assert np.isnan(step(*map(tf.constant, bad)))
    assert np.isnan(step(tf.constant(3.0), tf.constant(0.0)))
    for one, other in zip(good, state(), strict=True):
        np.testing.assert_array_equal(one, other)
