"""Action distributions: densities and entropies by hand, samples by their statistics."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.networks.distributions import Categorical, DiagonalGaussian, MultiCategorical, distribution_over
from paac_cli.spec import ActionSpec, discrete_action

LOGITS = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32))

#: Of two choices, among 3 and among 2, concatenated.
TWO_CHOICES = np.log(np.array([[0.5, 0.25, 0.25, 0.9, 0.1], [0.1, 0.1, 0.8, 0.5, 0.5]], np.float32))
#: Means, then log standard deviations: of 1 and 2, and of 1/2 and 4.
GAUSSIANS = np.array([[0.0, 3.0, 0.0, np.log(2)], [-1.0, 5.0, -np.log(2), np.log(4)]], np.float32)


def key(step):
    return tf.constant([1, step], tf.int64)


def test_log_prob_and_entropy_by_hand():
    np.testing.assert_allclose(Categorical(3).log_prob(LOGITS, tf.constant([0, 2])), np.log([0.5, 0.8]), rtol=1e-6)
    expected = [1.5 * np.log(2), -(0.2 * np.log(0.1) + 0.8 * np.log(0.8))]
    np.testing.assert_allclose(Categorical(3).entropy(LOGITS), expected, rtol=1e-6)


def test_the_log_prob_of_a_nearly_impossible_action_is_finite():
    assert np.isfinite(Categorical(3).log_prob(tf.constant([[0.0, -80.0]]), tf.constant([1]))).all()


def test_samples_have_the_frequencies_of_the_policy():
    draws = np.stack([Categorical(3).sample(tf.repeat(LOGITS, 500, axis=0), key(step)) for step in range(20)])
    for row, probabilities in enumerate(np.exp(LOGITS)):
        counts = np.bincount(draws[:, row * 500 : (row + 1) * 500].ravel(), minlength=3)
        expected = 10_000 * probabilities
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert chi_square < 13.8  # 2 degrees of freedom, p = 0.001


def test_a_sample_is_a_function_of_logits_and_seed():
    assert (Categorical(3).sample(LOGITS, key(3)).numpy() == Categorical(3).sample(LOGITS, key(3)).numpy()).all()
    draws = {tuple(Categorical(3).sample(LOGITS, key(step)).numpy()) for step in range(50)}
    assert len(draws) > 3


def test_the_noise_of_a_row_does_not_depend_on_what_other_rows_hold():
    for step in range(50):
        both = Categorical(3).sample(LOGITS, key(step)).numpy()
        other = Categorical(3).sample(np.stack([LOGITS[0], -LOGITS[1]]), key(step)).numpy()
        assert both[0] == other[0]


@pytest.mark.parametrize("num_actions", [2, 18])
def test_actions_are_in_range(num_actions):
    draws = Categorical(3).sample(tf.zeros((1000, num_actions)), key(0)).numpy()
    assert draws.dtype == np.int32
    assert set(draws) == set(range(num_actions))


# --- MultiDiscrete


def test_log_prob_and_entropy_of_independent_choices_are_sums():
    two = MultiCategorical((3, 2))
    assert two.num_parameters == 5
    log_prob = two.log_prob(TWO_CHOICES, tf.constant([[0, 1], [2, 0]]))
    np.testing.assert_allclose(log_prob, np.log([0.5 * 0.1, 0.8 * 0.5]), rtol=1e-6)
    expected = [
        1.5 * np.log(2) - (0.9 * np.log(0.9) + 0.1 * np.log(0.1)),
        -(0.2 * np.log(0.1) + 0.8 * np.log(0.8)) + np.log(2),
    ]
    np.testing.assert_allclose(two.entropy(TWO_CHOICES), expected, rtol=1e-6)


def test_the_mode_of_several_choices_is_the_mode_of_each():
    mode = MultiCategorical((3, 2)).mode(np.log(np.array([[0.2, 0.5, 0.3, 0.9, 0.1], [0.1, 0.1, 0.8, 0.4, 0.6]])))
    assert mode.dtype == tf.int32
    assert mode.numpy().tolist() == [[1, 0], [2, 1]]


def test_several_choices_are_sampled_with_their_probabilities_and_independently():
    two, counts = MultiCategorical((3, 2)), np.zeros((2, 3, 2))
    for step in range(20):
        draws = two.sample(tf.repeat(TWO_CHOICES, 500, axis=0), key(step)).numpy()
        assert draws.dtype == np.int32
        for row in range(2):
            np.add.at(counts[row], tuple(draws[row * 500 : (row + 1) * 500].T), 1)
    for row, probability in enumerate(np.exp(TWO_CHOICES)):
        expected = 10_000 * np.outer(probability[:3], probability[3:])  # of every pair
        assert ((counts[row] - expected) ** 2 / expected).sum() < 20.5  # 5 degrees of freedom, p = 0.001


def test_a_multidiscrete_action_with_one_element_is_distributed_like_a_discrete_one():
    alone, one = Categorical(3), MultiCategorical((3,))
    np.testing.assert_array_equal(one.sample(LOGITS, key(1))[:, 0], alone.sample(LOGITS, key(1)))
    np.testing.assert_array_equal(one.entropy(LOGITS), alone.entropy(LOGITS))


# --- Continuous


def test_log_density_and_entropy_of_continuous_actions_by_hand():
    gaussian = DiagonalGaussian(2)
    assert gaussian.num_parameters == 4
    # Row 0: one and two standard deviations from the mean. Row 1: zero and half a standard deviation.
    log_prob = gaussian.log_prob(GAUSSIANS, tf.constant([[1.0, -1.0], [-1.0, 7.0]]))
    constant = -np.log(2 * np.pi)  # two times log(1 / sqrt(2 pi))
    np.testing.assert_allclose(log_prob, [constant - np.log(2) - 0.5 - 2.0, constant - np.log(2) - 0.125], rtol=1e-6)
    # A normal variable with standard deviation s has entropy log(s * sqrt(2 pi e)). The product of s in a row is 2.
    np.testing.assert_allclose(gaussian.entropy(GAUSSIANS), [np.log(2) + np.log(2 * np.pi * np.e)] * 2, rtol=1e-6)


def test_the_mode_of_continuous_actions_is_the_mean():
    assert DiagonalGaussian(2).mode(GAUSSIANS).numpy().tolist() == [[0.0, 3.0], [-1.0, 5.0]]


def test_continuous_actions_are_sampled_with_their_moments_and_independently():
    gaussian = DiagonalGaussian(2)
    draws = np.stack([gaussian.sample(tf.repeat(GAUSSIANS, 500, axis=0), key(step)) for step in range(20)])
    assert draws.dtype == np.float32
    for row, (mean, deviation) in enumerate([((0, 3), (1, 2)), ((-1, 5), (0.5, 4))]):
        noise = (draws[:, row * 500 : (row + 1) * 500].reshape(10_000, 2) - mean) / deviation
        assert np.abs(noise.mean(axis=0)).max() < 0.033  # 3.3 standard errors of 1/100
        assert np.abs((noise**2).mean(axis=0) - 1).max() < 0.047  # sqrt(2)/100
        assert np.abs((noise**3).mean(axis=0)).max() < 0.13  # sqrt(15)/100
        assert np.abs((noise**4).mean(axis=0) - 3).max() < 0.33  # sqrt(96)/100
        assert abs((noise[:, 0] * noise[:, 1]).mean()) < 0.033


def test_the_mean_log_density_of_samples_is_the_negative_entropy():
    gaussian, parameters = DiagonalGaussian(2), tf.repeat(GAUSSIANS[1:], 10_000, axis=0)
    log_prob = gaussian.log_prob(parameters, gaussian.sample(parameters, key(0)))
    assert np.mean(log_prob) == pytest.approx(-gaussian.entropy(GAUSSIANS[1:]).numpy()[0], abs=0.033)


# --- All distributions


@pytest.mark.parametrize(
    ("distribution", "parameters"),
    [(MultiCategorical((3, 2)), TWO_CHOICES), (DiagonalGaussian(2), GAUSSIANS)],
    ids=["multidiscrete", "continuous"],
)
def test_a_sample_depends_on_its_row_index_its_parameters_and_the_seed_alone(distribution, parameters):
    samples = set()
    for step in range(50):
        drawn = distribution.sample(parameters, key(step)).numpy()
        samples.add(tuple(drawn[0].tolist()))
        assert (drawn == distribution.sample(parameters, key(step)).numpy()).all()
        beside_another = distribution.sample(np.stack([parameters[0], -parameters[1]]), key(step)).numpy()
        assert (drawn[0] == beside_another[0]).all()
    assert len(samples) > 3


@pytest.mark.parametrize(
    ("action", "kind", "num_parameters"),
    [
        (discrete_action(("left", "right", "fire")), Categorical, 3),
        (ActionSpec((2,), (3, 4)), MultiCategorical, 7),
        (ActionSpec((1,), (3,)), MultiCategorical, 3),
        (ActionSpec((3,), (2, 2, 2)), MultiCategorical, 6),
        (ActionSpec((6,), ()), DiagonalGaussian, 12),
    ],
)
def test_every_action_space_has_a_distribution_with_samples_of_its_shape_and_dtype(action, kind, num_parameters):
    distribution = distribution_over(action)
    assert type(distribution) is kind
    assert distribution.num_parameters == num_parameters
    parameters = np.random.default_rng(0).normal(size=(5, num_parameters)).astype(np.float32)
    for drawn in (distribution.sample(parameters, key(0)), distribution.mode(parameters)):
        assert drawn.shape == (5, *action.shape)
        assert drawn.dtype.as_numpy_dtype == action.dtype
    assert distribution.log_prob(parameters, drawn).shape == (5,)
    assert distribution.entropy(parameters).shape == (5,)
    assert (
        distribution.log_prob(parameters, distribution.mode(parameters)).numpy()
        >= distribution.log_prob(parameters, distribution.sample(parameters, key(1))).numpy()
    ).all()
