"""Shared memory as tensors, without a copy where TensorFlow can."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_ALIGNMENT = 64  # TensorFlow copies what is less aligned


class TensorAliases:
    """Tensors that look at NumPy memory, made once per place and then found again.

    An alias sees every later write to the memory, so what reads it must have finished before the
    workers write there again. On the CPU eager calls of a `tf.function` have ended when they return; for a
    GPU its arguments have been copied by then. Memory that TensorFlow cannot alias is copied at each call.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, tuple[int, ...], np.dtype], tf.Tensor] = {}

    def __call__(self, array: NDArray) -> tf.Tensor:
        address = array.__array_interface__["data"][0]
        if address % _ALIGNMENT or not array.flags.c_contiguous or array.dtype == np.bool_:
            return tf.convert_to_tensor(array)
        key = (address, array.shape, array.dtype)
        if key not in self._known:
            self._known[key] = tf.experimental.dlpack.from_dlpack(array.__dlpack__())
        return self._known[key]
