"""Settings that change linearly with the number of agent steps."""

import tensorflow as tf


def linear_schedule(initial: float, anneal_steps: int, steps: tf.Tensor) -> tf.Tensor:
    """Falls linearly from `initial` to 0 over `anneal_steps`; constant if that is 0. steps: [] int64. [] float32."""
    return linear_between(initial, 0.0, anneal_steps, steps) if anneal_steps else tf.constant(initial, tf.float32)


def linear_between(start: float, end: float, anneal_steps: int, steps: tf.Tensor) -> tf.Tensor:
    """Goes linearly from `start` to `end` over `anneal_steps`; `end` if that is 0. steps: [] int64. [] float32."""
    fraction = tf.minimum(tf.cast(steps, tf.float64) / anneal_steps, 1.0) if anneal_steps else 1.0
    return tf.cast(start + (end - start) * fraction, tf.float32)
