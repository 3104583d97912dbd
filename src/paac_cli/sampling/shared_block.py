"""One block of memory that the learner and the workers share, with named arrays in it.

The block has no name that could leak: it is an anonymous file (memfd) whose descriptor is handed to
the workers, and it is gone with the last process that holds it. The size of /dev/shm does not limit it.
"""

import math
import mmap
import os
from multiprocessing import reduction
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from paac_cli.errors import ConfigError
from paac_cli.sampling.limits import room_left

_CLOSED = -1  # in the place of a descriptor

Layout = dict[str, tuple[tuple[int, ...], np.dtype]]

_ALIGNMENT = mmap.PAGESIZE  # aligned arrays can become tensors without a copy


class SharedBlock:
    """Named arrays in shared memory; all zeros at first. Pages never written cost no memory.

    Picklable only while a child process is being started.
    """

    _descriptor: int

    def __init__(self, arrays: dict[str, tuple[tuple[int, ...], DTypeLike]]) -> None:
        """`arrays`: name -> (shape, dtype). Raises ConfigError where there is not the memory for them."""
        self._layout: Layout = {name: (shape, np.dtype(dtype)) for name, (shape, dtype) in arrays.items()}
        size = max(_layout_size(self._layout), 1)
        room = room_left()
        if room is not None and size > room.bytes:
            raise _refusal(size, f"{room.of} has {room.bytes:,} left", room.remedy)
        descriptor = os.memfd_create("paac")
        try:
            os.ftruncate(descriptor, size)
            self._attach(descriptor)
        except (OSError, ValueError, OverflowError) as error:  # a limit of the process
            os.close(descriptor)
            raise _refusal(size, f"the system refuses them: {error}") from error

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


def _refusal(size: int, why: str, remedy: str = "") -> ConfigError:
    return ConfigError(
        f"environments and learner need {size:,} bytes of shared memory, and {why}; a smaller sampling.num_envs, "
        f"algorithm.num_steps or observation needs less{remedy}"
    )


def _aligned_size(shape: tuple[int, ...], dtype: np.dtype) -> int:
    size = math.prod(shape) * dtype.itemsize
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _layout_size(layout: Layout) -> int:
    return sum(_aligned_size(shape, dtype) for shape, dtype in layout.values())
