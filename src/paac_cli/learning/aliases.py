"""Shared memory as tensors, without a copy where TensorFlow can."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_ALIGNMENT = 64  # bytes; TensorFlow copies arrays that are aligned to less


class TensorAliases:
    """Tensors that share the memory of NumPy arrays. Each is made once per address and then reused.

    An alias shows every later write to its memory, so its reader must finish before the workers write there
    again. On the CPU an eager call of a `tf.function` has finished when it returns; on a GPU its arguments
    have been copied by then. An array that TensorFlow cannot alias is copied at each call.
    """

    def __init__(self) -> None:
        self._aliases: dict[tuple[int, tuple[int, ...], np.dtype], tf.Tensor] = {}

    def __call__(self, array: NDArray) -> tf.Tensor:
        address = array.__array_interface__["data"][0]
        if address % _ALIGNMENT or not array.flags.c_contiguous or array.dtype == np.bool_:
            return tf.convert_to_tensor(array)
        key = (address, array.shape, array.dtype)
        if key not in self._aliases:
            self._aliases[key] = tf.experimental.dlpack.from_dlpack(array.__dlpack__())
        return self._aliases[key]
