"""Advantages against numbers worked by hand, and properties that they must have."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.learning.returns import advantages, explained_variance, normalized


def estimate(reward, value, bootstrap, *, terminated=None, truncated=None, final_value=None, gamma=0.5, lam=1.0):
    """Advantages of one environment, from plain lists."""
    length = len(reward)

    def column(numbers, dtype):
        return tf.constant(np.array(numbers, dtype)[:, np.newaxis])

    result = advantages(
        reward=column(reward, np.float32),
        value=column(value, np.float32),
        bootstrap=tf.constant([bootstrap], tf.float32),
        final_value=column(final_value or [0] * length, np.float32),
        terminated=column(terminated or [False] * length, np.bool_),
        truncated=column(truncated or [False] * length, np.bool_),
        gamma=gamma,
        gae_lambda=lam,
    )
    return result.numpy()[:, 0].tolist()


def test_n_step_returns_bootstrap_from_the_last_observation():
    # R_2 = 1 + 8/2 = 5;  R_1 = 0 + 5/2 = 2.5;  R_0 = 2 + 2.5/2 = 3.25
    assert estimate([2, 0, 1], [1, 1, 1], 8) == [2.25, 1.5, 4.0]


def test_termination_bootstraps_with_zero():
    # R_2 = 1 + 4 = 5;  R_1 = 0, terminated;  R_0 = 2 + 0
    assert estimate([2, 0, 1], [1, 1, 1], 8, terminated=[False, True, False]) == [1.0, -1.0, 4.0]


def test_truncation_bootstraps_with_the_value_of_the_final_observation():
    # R_1 = 0 + 6/2 = 3, not the value of the next episode's first observation;  R_0 = 2 + 3/2
    result = estimate([2, 0, 1], [1, 1, 1], 8, truncated=[False, True, False], final_value=[9, 6, 9])
    assert result == [2.5, 2.0, 4.0]


@pytest.mark.parametrize("end", ["terminated", "truncated"])
def test_an_episode_that_ends_with_the_last_step_ignores_the_bootstrap(end):
    result = estimate([2, 0, 1], [1, 1, 1], 8, **{end: [False, False, True]}, final_value=[9, 9, 4])
    last = {"terminated": 1.0, "truncated": 3.0}[end]
    assert result == [2 + last / 4 - 1, last / 2 - 1, last - 1]


def test_with_lambda_zero_advantages_are_one_step_td_errors():
    # delta = r + V(next)/2 - V
    assert estimate([2, 0, 1], [1, 2, 3], 8, lam=0.0) == [2.0, -0.5, 2.0]


def test_advantages_with_lambda_between_by_hand():
    # deltas 2, -0.5, 2;  A_2 = 2;  A_1 = -0.5 + 2/4 = 0;  A_0 = 2
    assert estimate([2, 0, 1], [1, 2, 3], 8, lam=0.5) == [2.0, 0.0, 2.0]


def test_traces_do_not_cross_the_end_of_an_episode():
    whole = estimate([2, 0, 1], [1, 2, 3], 8, lam=0.9, terminated=[False, True, False])
    first = estimate([2, 0], [1, 2], 99, lam=0.9, terminated=[False, True])
    second = estimate([1], [3], 8, lam=0.9)
    assert whole == first + second


def test_the_advantages_of_an_environment_do_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    shape = (6, 4)
    arrays = {
        "reward": rng.normal(size=shape),
        "value": rng.normal(size=shape),
        "final_value": rng.normal(size=shape),
    }
    ends = rng.integers(0, 3, shape)
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays |= {"terminated": ends == 1, "truncated": ends == 2}
    bootstrap = rng.normal(size=4).astype(np.float32)
    together = advantages(**arrays, bootstrap=tf.constant(bootstrap), gamma=0.9, gae_lambda=0.7)
    for env in range(4):
        alone = {name: array[:, env : env + 1] for name, array in arrays.items()}
        single = advantages(**alone, bootstrap=tf.constant(bootstrap[env : env + 1]), gamma=0.9, gae_lambda=0.7)
        np.testing.assert_array_equal(single[:, 0], together[:, env])


def test_explained_variance_by_hand():
    # returns minus values have variance 1, returns 4: a quarter of the variance is not explained
    assert explained_variance(tf.constant([3.0, 1.0]), tf.constant([9.0, 5.0])).numpy() == pytest.approx(0.75)


def test_normalized_advantages_have_mean_0_and_deviation_1_by_hand():
    # mean 3, deviation 2
    assert normalized(tf.constant([1.0, 5.0])).numpy().tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 160])
@pytest.mark.parametrize("value", [0.0, 0.1, -0.7, 1e-7, 123.456, -1e6, 3e30])
def test_advantages_that_are_all_the_same_value_are_normalized_to_0(value, size):
    """Their mean is rounded, and the rest divided by the deviation of the rounding would be noise as large as 1."""
    for compiled in (False, True):
        result = tf.function(normalized, jit_compile=compiled)(tf.fill([size], value))
        assert result.numpy().tolist() == [0.0] * size


def test_advantages_that_differ_are_normalized_to_the_bits_of_the_plain_formula():
    rng = np.random.default_rng(0)
    for scale in (1e-6, 1.0, 1e6):
        advantage = tf.constant(scale * rng.normal(size=160), tf.float32)
        plain = (advantage - tf.reduce_mean(advantage)) / (tf.math.reduce_std(advantage) + 1e-8)
        np.testing.assert_array_equal(normalized(advantage), plain)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_normalizing_does_not_hide_numbers_that_are_not_finite(number):
    """The loss must become NaN, so that the run stops."""
    for advantage in ([number] * 4, [1.0, number, 2.0]):
        assert np.isnan(normalized(tf.constant(advantage)).numpy()).any()
