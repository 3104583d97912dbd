"""Settings that change linearly with the number of agent steps. Both functions give a number [] float32."""

import tensorflow as tf


def linear_decay(initial: float, anneal_steps: int, steps: tf.Tensor) -> tf.Tensor:
    """The setting after `steps` [] int64: it falls from `initial` to 0 over `anneal_steps`, and then stays 0.

    anneal_steps: 0 = it is always `initial`.
    """
    return linear_change(initial, 0.0, anneal_steps, steps) if anneal_steps else tf.constant(initial, tf.float32)


def linear_change(start: float, end: float, anneal_steps: int, steps: tf.Tensor) -> tf.Tensor:
    """The setting after `steps` [] int64: it goes from `start` to `end` over `anneal_steps`, and then stays `end`.

    anneal_steps: 0 = it is always `end`.
    """
    fraction = tf.minimum(tf.cast(steps, tf.float64) / anneal_steps, 1.0) if anneal_steps else 1.0
    return tf.cast(start + (end - start) * fraction, tf.float32)
