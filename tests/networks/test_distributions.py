import numpy as np
import pytest
import tensorflow as tf

from paac_cli.networks.distributions import Categorical

LOGITS = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32))


def key(step):
    return tf.constant([1, step], tf.int64)


def test_log_prob_and_entropy_by_hand():
    np.testing.assert_allclose(Categorical(3).log_prob(LOGITS, tf.constant([0, 2])), np.log([0.5, 0.8]), rtol=1e-6)
    expected = [1.5 * np.log(2), -(0.2 * np.log(0.1) + 0.8 * np.log(0.8))]
    np.testing.assert_allclose(Categorical(3).entropy(LOGITS), expected, rtol=1e-6)


def test_log_prob_of_a_hopeless_action_is_finite():
    assert np.isfinite(Categorical(3).log_prob(tf.constant([[0.0, -80.0]]), tf.constant([1]))).all()


def test_samples_have_the_frequencies_of_the_policy():
    draws = np.stack([Categorical(3).sample(tf.repeat(LOGITS, 500, axis=0), key(step)) for step in range(20)])
    for row, probabilities in enumerate(np.exp(LOGITS)):
        counts = np.bincount(draws[:, row * 500 : (row + 1) * 500].ravel(), minlength=3)
        expected = 10_000 * probabilities
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert chi_square < 13.8  # 2 degrees of freedom, p = 0.001


def test_a_sample_is_a_function_of_logits_and_key():
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
