"""One block of memory that the learner and the workers share, with named arrays in it.

The block has no name that could leak: it is an anonymous file (memfd) whose descriptor is handed to
the workers, and it is gone with the last process that holds it.
"""

import mmap
import os
from multiprocessing import reduction
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_CLOSED = -1  # in the place of a descriptor

Layout = dict[str, tuple[tuple[int, ...], np.dtype]]

_ALIGNMENT = mmap.PAGESIZE  # aligned arrays can become tensors without a copy


class SharedBlock:
    """Named arrays in shared memory; all zeros at first. Pages never written cost no memory.

    Picklable only while a child process is being started.
    """

    _descriptor: int

    def __init__(self, arrays: dict[str, tuple[tuple[int, ...], DTypeLike]]) -> None:
        """`arrays`: name -> (shape, dtype)."""
        self._layout: Layout = {name: (shape, np.dtype(dtype)) for name, (shape, dtype) in arrays.items()}
        descriptor = os.memfd_create("paac")
        os.ftruncate(descriptor, max(_layout_size(self._layout), 1))
        self._attach(descriptor)

    def __getitem__(self, name: str) -> NDArray:
        return self._arrays[name]

    def __getstate__(self) -> dict[str, Any]:
        return {"layout": self._layout, "descriptor": reduction.DupFd(self._descriptor)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._layout = state["layout"]
        self._attach(state["descriptor"].detach())

    def close(self) -> None:
        """Give the descriptor back. The memory itself goes with the last array that views it. May be called twice."""
        if self._descriptor != _CLOSED:
            os.close(self._descriptor)
        self._descriptor = _CLOSED

    def _attach(self, descriptor: int) -> None:
        self._descriptor = descriptor
        memory = mmap.mmap(descriptor, max(_layout_size(self._layout), 1))
        self._arrays, offset = {}, 0
        for name, (shape, dtype) in self._layout.items():
            self._arrays[name] = np.ndarray(shape, dtype, buffer=memory, offset=offset)
            offset += _aligned_size(shape, dtype)


def _aligned_size(shape: tuple[int, ...], dtype: np.dtype) -> int:
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _layout_size(layout: Layout) -> int:
    return sum(_aligned_size(shape, dtype) for shape, dtype in layout.values())
