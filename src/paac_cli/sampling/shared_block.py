"""One block of memory, with named arrays in it, that the learner shares with its workers.

The block is an anonymous file (memfd): it has no name that a crash could leave behind, workers get its descriptor when
they start, and the kernel frees it with the last process that uses it. The size of /dev/shm does not limit it.
"""

import math
import mmap
import os
from multiprocessing import reduction
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from paac_cli.errors import ConfigError
from paac_cli.memory import require_memory

_CLOSED = -1  # in place of a descriptor

Layout = dict[str, tuple[tuple[int, ...], np.dtype]]

_REMEDY = "use fewer environments (sampling.num_envs), shorter rollouts (algorithm.num_steps) or smaller observations"
_ALIGNMENT = mmap.PAGESIZE  # TensorFlow uses aligned arrays without copying them


class SharedBlock:
    """Named arrays in shared memory, initially zero. A page takes memory only after it is first written.

    It can be pickled only while a child process is being started.
    """

    _descriptor: int

    def __init__(self, arrays: dict[str, tuple[tuple[int, ...], DTypeLike]]) -> None:
        """arrays: name -> (shape, dtype). Raises ConfigError if the memory is not available."""
        self._layout: Layout = {name: (shape, np.dtype(dtype)) for name, (shape, dtype) in arrays.items()}
        size = max(_layout_size(self._layout), 1)
        require_memory(size, "the environments", _REMEDY)
        descriptor = os.memfd_create("paac")
        try:
            os.ftruncate(descriptor, size)
            self._attach(descriptor)
        except (OSError, ValueError, OverflowError) as error:  # e.g. a resource limit of this process
            os.close(descriptor)
            refusal = f"the environments need {size:,} bytes of memory, but the system refuses to allocate them"
            raise ConfigError(f"{refusal}: {error}; {_REMEDY}") from error

    def __getitem__(self, name: str) -> NDArray:
        return self._arrays[name]

    def __getstate__(self) -> dict[str, Any]:
        return {"layout": self._layout, "descriptor": reduction.DupFd(self._descriptor)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._layout = state["layout"]
        self._attach(state["descriptor"].detach())

    def close(self) -> None:
        """Close the descriptor; no worker can be started afterwards. May be called twice.

        The memory itself is freed with the last array that views it.
        """
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
    size = math.prod(shape) * dtype.itemsize
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _layout_size(layout: Layout) -> int:
    return sum(_aligned_size(shape, dtype) for shape, dtype in layout.values())
