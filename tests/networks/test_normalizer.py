"""Running moments and normalised observations against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.networks.normalizer import ObsNormalizer, RunningMoments, moments_of


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("cuts", [[], [1, 2, 3], [7, 30], [59]])
def test_the_moments_are_those_of_all_data_however_it_is_split(shape, cuts):
    data = np.random.default_rng(0).normal(3.0, 2.0, (60, *shape)).astype(np.float32)
    moments = RunningMoments(shape, "test")
    for part in np.split(data, cuts):
        moments.update(tf.constant(part))
    np.testing.assert_allclose(moments.mean.numpy(), data.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(moments.variance.numpy(), data.var(axis=0), rtol=1e-5)
    np.testing.assert_allclose(moments.deviation.numpy(), np.sqrt(data.var(axis=0) + 1e-5), rtol=1e-5)


def test_before_the_first_update_mean_and_variance_are_zero_and_one():
    moments = RunningMoments((2,), "test")
    assert moments.mean.numpy().tolist() == [0, 0]
    assert moments.variance.numpy().tolist() == [1, 1]


def test_the_first_update_replaces_zero_and_one():
    moments = RunningMoments((), "test")
    moments.update(tf.constant([5.0]))
    assert (moments.mean.numpy(), moments.variance.numpy()) == (5, 0)


def test_the_variance_stays_right_when_the_count_cannot_grow_any_more():
    """In float32, 2^24 + 1 = 2^24."""
    moments = RunningMoments((), "test")
    count, mean, variance = moments.variables
    for variable, value in ((count, 2.0**24), (mean, 0.0), (variance, 1.0)):
        variable.assign(value)
    far_away = 100.0  # squared and divided by 2^24: 6e-4 for each update
    for _ in range(200):
        moments.update(tf.constant([far_away]))
        moments.update(tf.constant([-far_away]))
    assert count.numpy() == 2**24
    weight = 1 / 2**24
    expected = 1 + (far_away**2 - 1) * (1 - (1 - weight) ** 400)
    assert moments.variance.numpy() == pytest.approx(expected, rel=1e-3)


def test_moments_continue_identically_from_their_variables():
    data = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    one, other = RunningMoments((2,), "test"), RunningMoments((2,), "test")
    one.update(tf.constant(data[:25]))
    assert {variable.name for variable in one.variables} == {"test/count:0", "test/mean:0", "test/variance:0"}
    for target, source in zip(other.variables, one.variables, strict=True):
        target.assign(source)
    for moments in (one, other):
        moments.update(tf.constant(data[25:]))
    np.testing.assert_array_equal(one.mean.numpy(), other.mean.numpy())
    np.testing.assert_array_equal(one.variance.numpy(), other.variance.numpy())


def test_observations_are_normalised_by_the_moments_of_all_updates():
    data = np.random.default_rng(0).normal(3.0, 2.0, (60, 2)).astype(np.float32)
    normalizer = ObsNormalizer((2,))
    for part in np.split(data, [7, 30]):
        normalizer.update(tf.constant(part), moments_of)
    expected = (data - data.mean(axis=0)) / np.sqrt(data.var(axis=0) + 1e-5)
    np.testing.assert_allclose(normalizer(data * 255, 1 / 255), np.clip(expected, -5, 5), atol=1e-4)


def test_normalised_observations_are_clipped_to_5_deviations():
    normalizer = ObsNormalizer((1,))
    normalizer.update(tf.constant([[1.0], [5.0]]), moments_of)  # mean 3, deviation 2
    clipped = normalizer(np.array([[23.0], [11.0], [-5.0], [-17.0]]), 1.0)
    np.testing.assert_allclose(clipped, [[5.0], [4.0], [-4.0], [-5.0]], rtol=1e-5)
