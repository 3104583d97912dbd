"""The categorical distribution over `A` actions, given by logits [B, A]."""

import tensorflow as tf


def sample(logits: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw actions [B] int32 by the Gumbel-max trick: a pure function of `logits` and `seed` [2] int64.

    The noise of a row depends on its place alone, not on what the other rows hold.
    """
    uniform = tf.random.stateless_uniform(
        tf.shape(logits), seed, minval=1e-20, maxval=1.0, dtype=tf.float32, alg="philox"
    )
    return tf.argmax(logits - tf.math.log(-tf.math.log(uniform)), axis=-1, output_type=tf.int32)


def log_prob(logits: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
    """Log-probability [B] of `actions` [B] int32."""
    return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=actions, logits=logits)


def entropy(logits: tf.Tensor) -> tf.Tensor:
    """Entropy [B] in nats."""
    log_p = tf.nn.log_softmax(logits)
    return -tf.reduce_sum(tf.exp(log_p) * log_p, axis=-1)
