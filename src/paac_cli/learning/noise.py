"""The seed of action noise. The noise is stateless, so checkpoints contain no state of a random generator."""

import tensorflow as tf


def noise_seed(seed: int, steps: tf.Tensor) -> tf.Tensor:
    """The seed [2] int64 of TensorFlow's stateless operations for the actions that follow `steps` [] int64 agent steps.

    seed: of the run.
    """
    return tf.stack([tf.constant(seed, tf.int64), steps])
