"""Values that change linearly with the number of agent steps."""

import tensorflow as tf


def linear_schedule(initial: float, anneal_steps: int, steps: tf.Tensor) -> tf.Tensor:
    """`initial`, falling linearly to 0 over `anneal_steps` (0: constant). steps: [] int64. Returns [] float32."""
    return linear_between(initial, 0.0, anneal_steps, steps) if anneal_steps else tf.constant(initial, tf.float32)


def linear_between(start: float, end: float, anneal_steps: int, steps: tf.Tensor) -> tf.Tensor:
    """From `start` linearly to `end` over `anneal_steps` (0: `end` at once). steps: [] int64. Returns [] float32."""
    fraction = tf.minimum(tf.cast(steps, tf.float64) / max(anneal_steps, 1), 1.0) if anneal_steps else 1.0
    return tf.cast(start + (end - start) * fraction, tf.float32)
