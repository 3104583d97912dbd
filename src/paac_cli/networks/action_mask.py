"""Action masks at the end of observations: networks split them off, and exclude the actions that are illegal."""

import numpy as np
import tensorflow as tf

from paac_cli.spec import EnvSpec

#: Stands in for the logit or the value of an illegal action: its probability is 0 in float32, and any sum is finite.
ILLEGAL = -1e9


class ActionMask:
    """Splits observations [B, D + A] into observations [B, ...] and masks [B, A], if they end with masks."""

    def __init__(self, spec: EnvSpec) -> None:
        self._shape = spec.unmasked_shape
        self.is_used = self._shape is not None  #: whether observations end with masks; if not, nothing is changed
        self._size = int(np.prod(spec.unmasked_shape or ()))

    def split(self, obs: tf.Tensor) -> tf.Tensor:
        """The observations [B, ...] without masks."""
        return tf.reshape(obs[:, : self._size], [-1, *self._shape]) if self._shape is not None else obs

    def exclude(self, numbers: tf.Tensor, obs: tf.Tensor) -> tf.Tensor:
        """`numbers` [B, A], logits or values, with `ILLEGAL` for the illegal actions. obs: with masks."""
        return tf.where(tf.cast(obs[:, self._size :], tf.bool), numbers, ILLEGAL) if self.is_used else numbers


def is_legal(numbers: tf.Tensor) -> tf.Tensor:
    """[B, A] bool: which actions `exclude` has left in `numbers` [B, A]."""
    return numbers > 0.5 * ILLEGAL
