"""Action masks at the end of observations: networks split them off, and exclude the actions that are illegal."""

import numpy as np
import tensorflow as tf

from paac_cli.spec import EnvSpec

#: Stands in for the logit or the value of an illegal action: its probability is 0 in float32, and any sum is finite.
ILLEGAL = -1e9


class ActionMask:
    """Splits observations [B, D + A] into observations [B, ...] and masks [B, A], if they end with masks."""

    def __init__(self, spec: EnvSpec) -> None:
        self._is_used = spec.has_mask  # otherwise nothing is changed
        self._shape = spec.without_mask().obs_shape
        self._size = int(np.prod(self._shape))

    def split(self, obs: tf.Tensor) -> tf.Tensor:
        """The observations [B, ...] without masks."""
        return tf.reshape(obs[:, : self._size], [-1, *self._shape]) if self._is_used else obs

    def exclude(self, numbers: tf.Tensor, obs: tf.Tensor) -> tf.Tensor:
        """`numbers` [B, A], logits or values, with `ILLEGAL` for the illegal actions. obs: with masks."""
        return tf.where(tf.cast(obs[:, self._size :], tf.bool), numbers, ILLEGAL) if self._is_used else numbers


def is_legal(numbers: tf.Tensor) -> tf.Tensor:
    """[B, A] bool: which actions `exclude` has left in `numbers` [B, A]."""
    return numbers > 0.5 * ILLEGAL
