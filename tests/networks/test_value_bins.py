"""HL-Gauss: targets over bins, against the distribution function of a Gaussian in float64."""

import math

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.algorithms import HlGaussConfig
from paac_cli.networks.value_bins import ValueBins

CONFIG = HlGaussConfig(num_bins=8, v_min=-2.0, v_max=6.0, sigma_ratio=0.75)  # bins of width 1
BINS = ValueBins(CONFIG)


def expected(value):
    """The mass of each bin, by the distribution function of a Gaussian around `value` with deviation 0.75."""
    cumulative = [0.5 * (1 + math.erf((edge - value) / (0.75 * math.sqrt(2)))) for edge in range(-2, 7)]
    return np.diff(cumulative) / (cumulative[-1] - cumulative[0])


@pytest.mark.parametrize("value", [0.0, 0.5, 1.3, -2.0, 6.0, 5.99])
def test_probabilities_are_those_of_a_gaussian_that_is_cut_at_the_ends(value):
    (found,) = BINS.probabilities(tf.constant([value]))
    np.testing.assert_allclose(found, expected(value), atol=1e-6)
    assert found.numpy().sum() == pytest.approx(1.0)


def test_values_outside_of_the_range_count_as_its_ends_and_are_counted():
    values = tf.constant([-100.0, 100.0, 0.0, -2.0, 6.0])
    found = BINS.probabilities(values)
    np.testing.assert_allclose(found[0], expected(-2.0), atol=1e-6)
    np.testing.assert_allclose(found[1], expected(6.0), atol=1e-6)
    assert BINS.is_outside(values).numpy().tolist() == [True, True, False, False, False]


def test_the_mean_of_a_target_far_from_the_ends_is_its_value():
    values = tf.constant([1.0, 1.5, 2.2, 2.9])
    means = BINS.mean(tf.math.log(BINS.probabilities(values) + 1e-30))
    np.testing.assert_allclose(means, values, atol=0.01)


def test_the_mean_worked_by_hand():
    """Half of the mass in the first bin, with centre -1.5, and half in the last, with centre 5.5."""
    logits = np.full((1, 8), -1e9, np.float32)
    logits[0, [0, 7]] = 0.0
    assert float(BINS.mean(tf.constant(logits))[0]) == pytest.approx(2.0)


def test_an_empty_range_is_refused():
    with pytest.raises(ValueError, match=r"v_min \(3\) must be below v_max \(3\)"):
        HlGaussConfig(v_min=3.0, v_max=3.0)
