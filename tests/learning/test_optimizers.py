import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.optimizers import AdamConfig, RAdamConfig, RmsPropConfig
from paac_cli.learning.optimizers import Descent, between, clipped_gradients, linear_schedule, make_optimizer


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


def radam(weight, gradients, rate, *, beta_1, beta_2, epsilon):
    """Algorithm 2 of Liu et al. 2020, with 5 for 4; the weight after every gradient, and whether its root was used."""
    mean = square = 0.0
    limit = 2 / (1 - beta_2) - 1
    for t, gradient in enumerate(gradients, start=1):
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        direction = mean / (1 - beta_1**t)
        rho = limit - 2 * t * beta_2**t / (1 - beta_2**t)
        if rho > 5:
            trust = ((rho - 4) * (rho - 2) * limit) / ((limit - 4) * (limit - 2) * rho)
            direction = direction * np.sqrt(trust) / (np.sqrt(square / (1 - beta_2**t)) + epsilon)
        weight = weight - rate * direction
        yield weight, rho > 5


@pytest.mark.parametrize(("beta_2", "first"), [(0.999, 6), (0.9, 6), (0.8, 7), (0.6, None), (0.0, None)])
def test_radam_is_that_of_the_paper(beta_2, first):
    """`first`: the update at which the mean square is trusted for the first time, if it ever is."""
    gradients = np.random.default_rng(0).normal(2.0, 3.0, size=(20, 3)).astype(np.float32)
    weight = tf.Variable([1.0, -2.0, 0.5], name="w")
    optimizer = make_optimizer(RAdamConfig(beta_1=0.9, beta_2=beta_2, epsilon=1e-3), [weight])
    expected = radam(weight.numpy(), gradients.astype(np.float64), 0.05, beta_1=0.9, beta_2=beta_2, epsilon=1e-3)
    apply = tf.function(optimizer.apply)
    for update, (gradient, (theirs, is_trusted)) in enumerate(zip(gradients, expected, strict=True), start=1):
        apply([tf.constant(gradient)], tf.constant(0.05))
        assert is_trusted == (first is not None and update >= first)
        np.testing.assert_allclose(weight.numpy(), theirs, rtol=1e-4, atol=1e-5)


def test_radam_goes_on_from_its_slots():
    gradients = [tf.constant(gradient) for gradient in np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)]
    weights = [tf.Variable(tf.ones(3), name="w") for _ in range(2)]
    whole, first, second = (make_optimizer(RAdamConfig(), [weight]) for weight in (*weights, weights[1]))
    for update, gradient in enumerate(gradients):
        if update == 7:
            for slot, other in zip(second.slots, first.slots, strict=True):
                slot.assign(other)
        whole.apply([gradient], tf.constant(0.1))
        (first if update < 7 else second).apply([gradient], tf.constant(0.1))
    np.testing.assert_array_equal(weights[0].numpy(), weights[1].numpy())


@pytest.mark.parametrize(("steps", "rate"), [(0, 0.0224), (40_000_000, 0.0112), (80_000_000, 0.0), (90_000_000, 0.0)])
def test_linear_schedule_of_the_paper(steps, rate):
    assert linear_schedule(0.0224, 80_000_000, tf.constant(steps, tf.int64)).numpy() == pytest.approx(rate)


def test_a_schedule_over_zero_steps_is_constant():
    assert linear_schedule(0.1, 0, tf.constant(10**9, tf.int64)).numpy() == np.float32(0.1)


@pytest.mark.parametrize(
    ("steps", "value"), [(0, 1.0), (250_000, 0.7625), (500_000, 0.525), (1_000_000, 0.05), (10**15, 0.05)]
)
def test_between_two_values_by_hand(steps, value):
    assert between(1.0, 0.05, 1_000_000, tf.constant(steps, tf.int64)).numpy() == pytest.approx(value, rel=1e-6)


def test_between_two_values_it_may_also_rise_and_no_step_is_lost_to_float32():
    value = between(-(2.0**24), 2.0**24, 2**25, tf.constant(2**24 + 1, tf.int64))  # 2**24 + 1 is none of its numbers
    assert value.dtype == tf.float32
    assert value.numpy() == 1.0


def test_over_zero_steps_the_end_is_there_at_once():
    assert between(1.0, 0.25, 0, tf.constant(0, tf.int64)).numpy() == 0.25


def test_weights_that_take_no_part_stand_still_and_the_others_share_the_length():
    used, unused = tf.Variable([3.0, 4.0]), tf.Variable([7.0])
    with tf.GradientTape() as tape:
        loss = 0.5 * tf.reduce_sum(tf.square(used))
    gradients, norm = clipped_gradients(tape, loss, [used, unused], 1.0)
    assert norm.numpy() == pytest.approx(5.0)
    np.testing.assert_allclose(gradients[0], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(gradients[1], [0.0])


OPTIMIZERS = {"rmsprop": RmsPropConfig(momentum=0.9), "adam": AdamConfig(), "radam": RAdamConfig()}


@pytest.mark.parametrize(
    "bad",
    [(np.nan, 0.0), (np.inf, 0.0), (1.0, np.nan), (1.0, -np.inf), (2e38, 0.0)],
    ids=["gradient nan", "gradient inf", "loss nan", "loss inf", "gradient too long"],
)
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_descent_stands_still_from_the_first_loss_or_gradient_that_is_no_number(name, jit_compile, bad):
    """The loss is the scaled sum of the weights, plus a constant that no gradient sees."""

    weight = tf.Variable([1.0, 2.0, 3.0, 4.0], name="w")
    descent = Descent(OPTIMIZERS[name], [weight], 1.0)

    @tf.function(jit_compile=jit_compile)
    def step(scale, constant):
        with tf.GradientTape() as tape:
            loss = scale * tf.reduce_sum(weight) + constant
        return descent.step(tape, loss, tf.constant(0.1))

    def state():
        return [variable.numpy().copy() for variable in (weight, *descent.slots)]

    before = state()
    assert step(tf.constant(3.0), tf.constant(0.0)).numpy() == pytest.approx(6.0)
    good = state()
    assert any((one != other).any() for one, other in zip(before, good, strict=True))
    assert np.isnan(step(*map(tf.constant, bad)))
    assert np.isnan(step(tf.constant(3.0), tf.constant(0.0)))
    for one, other in zip(good, state(), strict=True):
        np.testing.assert_array_equal(one, other)
