"""From the emulator's screens to observations: the maximum of two screens, grey, 84 x 84, up to four stacked.

A "screen" is the emulator's image, [height, width] uint8 palette indices; a "frame" is one of the four images in an
observation. The result equals that of `getScreenGrayscale`, `numpy.maximum` and `cv2.resize`, byte for byte.

This runs in every step of every environment, so it is compiled to machine code and does little work: only rows that
differ from the step before are converted and resized again, and the grey value of each colour is looked up in a table.
The emulator's own conversion, which is slow, is called only for colours that the table lacks.
"""

from collections.abc import Callable
from functools import cache
from math import gcd
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from ale_py import ALEInterface
from numba import njit
from numpy.typing import NDArray

from paac_cli.config.env import FRAME_STACK
from paac_cli.envs.rules import SCREEN_SIZE

_UNKNOWN = -1  # grey value of a colour that has not appeared yet
_NEWEST = np.uint32(8 * (FRAME_STACK - 1))  # position of the newest frame in a word of the stack, in bits


class Screen:
    """The frame stack of one game, and the two latest screens, whose maximum becomes the next frame."""

    def __init__(
        self, dimensions: tuple[int, int], resize: Literal["area", "nearest"], frames: int = FRAME_STACK
    ) -> None:
        """dimensions: (height, width) of the emulator's screen. resize: as in `AtariRules`. frames: in `stack`."""
        height, width = dimensions
        self._colours = _scratch(height, width)
        self._converted = np.zeros((2, height, width), np.uint8)  # the two screens, palette indices
        self._greys = self._converted.copy()  # the same in grey
        self._grey_of = np.full(256, _UNKNOWN, np.int16)  # palette index -> grey value
        self._grey_of[0] = 0  # black in every palette
        self._changed = np.ones(height, np.bool_)  # rows that changed since the last `push`
        axis = _area if resize == "area" else _nearest
        self._rows, self._columns = axis(height), axis(width)
        # A pixel's four frames are one little-endian word, so a shift makes room for a new frame.
        self._stack = np.zeros((SCREEN_SIZE, SCREEN_SIZE), np.dtype("<u4"))
        shape = (SCREEN_SIZE, SCREEN_SIZE, FRAME_STACK)
        #: The observation [84, 84, frames], the newest frame last: a view.
        self.stack: NDArray[np.uint8] = self._stack.view(np.uint8).reshape(shape)[..., FRAME_STACK - frames :]

    def take(self, ale: ALEInterface, index: int) -> None:
        """Store the emulator's current screen as screen `index` (0 or 1) of the two that make a frame."""
        ale.getScreen(self._colours)
        if not self._convert(index):
            ale.getScreenGrayscale(self._greys[index])
            self._grey_of[self._colours] = self._greys[index]

    def put(self, index: int, colours: NDArray[np.uint8] | int) -> None:
        """Store `colours` [height, width] or 0 (black) as screen `index`. All colours must have been taken before."""
        self._colours[...] = colours
        all_known = self._convert(index)
        assert all_known

    def push(self) -> None:
        """Add a new frame to the stack: the maximum of the two screens, resized."""
        _push(self._greys, self._changed, *self._rows, *self._columns, self._stack)

    def fill(self) -> None:
        """Fill the whole stack with the newest frame."""
        self._stack[...] = (self._stack >> _NEWEST) * np.uint32(0x01010101)

    def _convert(self, index: int) -> bool:
        return _convert(self._colours, self._converted[index], self._greys[index], self._grey_of, self._changed)


@cache
def _scratch(height: int, width: int) -> NDArray[np.uint8]:
    """A buffer for one screen, which all emulators of a process share so that it stays in the processor's cache."""
    return np.empty((height, width), np.uint8)


class _Axis(NamedTuple):
    """How one axis is resized to 84: output `i` is the weighted mean of the `K` inputs that start at `first[i]`."""

    first: NDArray[np.int32]  #: [84]
    weights: NDArray[np.uint32]  #: [K, 84], integers
    total: np.uint32  #: sum of the weights of one output


def _area(length: int) -> _Axis:
    """The weights of INTER_AREA: the length of each input that an output covers."""
    divisor = gcd(length, SCREEN_SIZE)
    # The widths of an output pixel and an input pixel, in a common integer unit.
    output_width, input_width = length // divisor, SCREEN_SIZE // divisor
    taps = -(-length // SCREEN_SIZE) + 1
    left = np.arange(SCREEN_SIZE) * output_width
    first = np.minimum(left // input_width, length - taps)
    input_left = (first + np.arange(taps)[:, np.newaxis]) * input_width
    covered = np.minimum(input_left + input_width, left + output_width) - np.maximum(input_left, left)
    return _Axis(first.astype(np.int32), np.maximum(covered, 0).astype(np.uint32), np.uint32(output_width))


def _nearest(length: int) -> _Axis:
    """Each output is the input with the nearest centre, as in Pillow, with which the paper's authors resized."""
    indices = np.arange(length, dtype=np.float32)[np.newaxis]
    first = cv2.resize(indices, (SCREEN_SIZE, 1), interpolation=cv2.INTER_NEAREST_EXACT)[0]
    return _Axis(first.astype(np.int32), np.ones((1, SCREEN_SIZE), np.uint32), np.uint32(1))


def machine_code(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function with Numba when the module is imported: once, before workers are forked.

    Compiling takes seconds, so Numba caches the code in `__pycache__` or the user's cache directory, and reuses it for
    the same source and processor. The cache is as trustworthy as `.pyc` files.
    """

    def compile_now(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(signature, cache=True)(function)
        except Exception:  # the cache cannot be written or is damaged
            return njit(signature)(function)

    return compile_now


@machine_code("boolean(uint8[:, ::1], uint8[:, ::1], uint8[:, ::1], int16[::1], boolean[::1])")
def _convert(colours, converted, greys, grey_of, changed):  # type: ignore[no-untyped-def]
    """Update `converted` and `greys` from `colours`, and mark `changed` rows. Returns False if a colour was unknown."""
    lowest = np.int16(0)
    for y in range(colours.shape[0]):
        difference = np.uint8(0)
        for x in range(colours.shape[1]):
            difference |= colours[y, x] ^ converted[y, x]
        if difference:
            changed[y] = True
            converted[y] = colours[y]
            for x in range(colours.shape[1]):
                grey = grey_of[colours[y, x]]
                lowest |= grey
                greys[y, x] = grey
    return lowest >= 0


@njit
def _half(greys, top, heights, height, left, widths, width):  # type: ignore[no-untyped-def]
    """A mean halfway between two integers, rounded as INTER_AREA does: it adds in float32, in this order."""
    mean = np.float32(0.0)
    for j in range(len(heights)):
        line = np.float32(0.0)
        for k in range(len(widths)):
            grey = max(greys[0, top + j, left + k], greys[1, top + j, left + k])
            line += np.float32(grey) * np.float32(widths[k] / width)
        mean += line * np.float32(heights[j] / height)
    return np.uint32(np.rint(mean))


@machine_code(
    "void(uint8[:, :, ::1], boolean[::1], {0}, {0}, uint32[:, ::1])".format("int32[::1], uint32[:, ::1], uint32")
)
def _push(greys, changed, top, heights, height, left, widths, width, stack):  # type: ignore[no-untyped-def]
    """Shift the stack by one frame; resize the rows that `changed`, and copy the others from the frame before."""
    size = len(top)
    area, inverse = height * width, 1.0 / (height * width)
    sums, means = np.empty(greys.shape[2], np.uint32), np.empty((2, size), np.uint32)
    total, mean = means
    for i in range(size):
        if not changed[top[i] : top[i] + len(heights)].any():
            for k in range(size):
                stack[i, k] = (stack[i, k] >> np.uint32(8)) | (stack[i, k] & np.uint32(0xFF000000))
            continue
        sums[:] = 0
        for j in range(len(heights)):
            first, second = greys[0, top[i] + j], greys[1, top[i] + j]
            for x in range(len(sums)):
                sums[x] += heights[j, i] * max(first[x], second[x])
        total[:] = area // np.uint32(2)
        for j in range(len(widths)):
            for k in range(size):
                total[k] += widths[j, k] * sums[left[k] + j]
        ties = False
        for k in range(size):
            mean[k] = np.uint32(total[k] * inverse + 1e-6)  # total // area, in a form that can be vectorised
            ties |= mean[k] * area == total[k]
        if ties and area > 1:
            for k in range(size):
                if mean[k] * area == total[k]:
                    mean[k] = _half(greys, top[i], heights[:, i], height, left[k], widths[:, k], width)
        for k in range(size):
            stack[i, k] = (stack[i, k] >> np.uint32(8)) | (mean[k] << np.uint32(24))
    changed[:] = False
