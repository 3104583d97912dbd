"""NumPy arrays in shared memory as tensors, without a copy where TensorFlow allows that."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_ALIGNMENT = 64  # bytes; TensorFlow copies arrays with a smaller alignment


class TensorAliases:
    """Tensors that share the memory of NumPy arrays.

    Later writes to the memory change the tensor, so whatever reads the tensor must finish before workers write there
    again. A call of a `tf.function` meets this condition: when it returns, it has finished on the CPU, and on a GPU it
    has copied its arguments. An array that TensorFlow cannot alias is copied at each call.

    On a CPU a tensor is made once per address, shape and dtype, and then reused. On a GPU a new one is made at each
    call: TensorFlow keeps a tensor's copy on the GPU as long as the tensor exists, so a reused tensor would keep its
    first contents there.
    """

    def __init__(self) -> None:
        self._are_reused = not tf.config.get_visible_devices("GPU")
        self._aliases: dict[tuple[int, tuple[int, ...], np.dtype], tf.Tensor] = {}

    def __call__(self, array: NDArray) -> tf.Tensor:
        address = array.__array_interface__["data"][0]
        if address % _ALIGNMENT or not array.flags.c_contiguous or array.dtype == np.bool_:
            return tf.convert_to_tensor(array)
        if not self._are_reused:
            return _alias(array)
        key = (address, array.shape, array.dtype)
        if key not in self._aliases:
            self._aliases[key] = _alias(array)
        return self._aliases[key]


def _alias(array: NDArray) -> tf.Tensor:
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
