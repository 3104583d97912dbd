"""Linear schedules by hand."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.learning.schedules import linear_change, linear_decay


@pytest.mark.parametrize(("steps", "rate"), [(0, 0.0224), (40_000_000, 0.0112), (80_000_000, 0.0), (90_000_000, 0.0)])
def test_linear_decay_of_the_paper(steps, rate):
    assert linear_decay(0.0224, 80_000_000, tf.constant(steps, tf.int64)).numpy() == pytest.approx(rate)


def test_a_decay_over_zero_steps_is_constant():
    assert linear_decay(0.1, 0, tf.constant(10**9, tf.int64)).numpy() == np.float32(0.1)


@pytest.mark.parametrize(
    ("steps", "value"), [(0, 1.0), (250_000, 0.7625), (500_000, 0.525), (1_000_000, 0.05), (10**15, 0.05)]
)
def test_linear_change_by_hand(steps, value):
    assert linear_change(1.0, 0.05, 1_000_000, tf.constant(steps, tf.int64)).numpy() == pytest.approx(value, rel=1e-6)


def test_linear_change_may_rise_and_counts_steps_that_float32_cannot_represent():
    value = linear_change(-(2.0**24), 2.0**24, 2**25, tf.constant(2**24 + 1, tf.int64))  # float32 has no 2**24 + 1
    assert value.dtype == tf.float32
    assert value.numpy() == 1.0


def test_linear_change_over_zero_steps_is_the_end_at_once():
    assert linear_change(1.0, 0.25, 0, tf.constant(0, tf.int64)).numpy() == 0.25
