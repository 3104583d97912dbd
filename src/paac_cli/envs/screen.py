"""What a learner sees of the emulator: the maximum of two frames, grey, 84 x 84, four of them stacked.

Compiled, because this is done at every step of every environment. Two things make it cheap: most rows of a
screen are those of the step before, and only what has changed is looked up and made small anew; and the
emulator's own conversion to grey, which goes through the whole screen, only teaches what its colours are worth.
The result is that of `getScreenGrayscale`, `numpy.maximum` and `cv2.resize`, byte for byte.
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

from paac_cli.envs.rules import FRAME_STACK, SCREEN_SIZE

_UNKNOWN = -1  # of colours that have not been seen
_NEWEST = np.uint32(8 * (FRAME_STACK - 1))  # bits by which the newest screen is shifted in a word of the stack


class Screen:
    """The last four screens of one game."""

    def __init__(self, dimensions: tuple[int, int], resize: Literal["area", "nearest"]) -> None:
        """dimensions: (height, width) of the emulator's screen."""
        height, width = dimensions
        self._colours = _scratch(height, width)
        self._looked_up = np.zeros((2, height, width), np.uint8)  # colours, as the emulator names them
        self._greys = self._looked_up.copy()  # of these
        self._grey_of = np.full(256, _UNKNOWN, np.int16)
        self._grey_of[0] = 0  # black on every palette
        self._changed = np.ones(height, np.bool_)  # rows, since the last `push`
        axis = _area if resize == "area" else _nearest
        self._rows, self._columns = axis(height), axis(width)
        # Four screens of one pixel are one little-endian word: to age the stack is to shift it.
        self._stack = np.zeros((SCREEN_SIZE, SCREEN_SIZE), np.dtype("<u4"))

    @property
    def stack(self) -> NDArray[np.uint8]:
        """[84, 84, 4], newest last."""
        return self._stack.view(np.uint8).reshape(SCREEN_SIZE, SCREEN_SIZE, FRAME_STACK)

    def take(self, ale: ALEInterface, frame: int) -> None:
        """What the emulator shows becomes frame 0 or 1 of the two that are seen together."""
        ale.getScreen(self._colours)
        if not self._look_up(frame):
            ale.getScreenGrayscale(self._greys[frame])
            self._grey_of[self._colours] = self._greys[frame]

    def put(self, frame: int, colours: NDArray[np.uint8] | int) -> None:
        """Frame 0 or 1 becomes `colours` [height, width], which has been taken before, or 0: black."""
        self._colours[...] = colours
        known = self._look_up(frame)
        assert known

    def push(self) -> None:
        """The maximum of the two frames becomes the newest of the stack."""
        _push(self._greys, self._changed, *self._rows, *self._columns, self._stack)

    def fill(self) -> None:
        """The newest screen takes all places of the stack."""
        self._stack[...] = (self._stack >> _NEWEST) * np.uint32(0x01010101)

    def _look_up(self, frame: int) -> bool:
        return _look_up(self._colours, self._looked_up[frame], self._greys[frame], self._grey_of, self._changed)


@cache
def _scratch(height: int, width: int) -> NDArray[np.uint8]:
    """Where a screen is for a moment: one for all emulators of a process, so that it stays in the cache."""
    return np.empty((height, width), np.uint8)


class _Axis(NamedTuple):
    """How one side of a screen becomes 84 long: output `i` is the mean of `K` inputs from `first[i]` on."""

    first: NDArray[np.int32]  #: [84]
    weights: NDArray[np.uint32]  #: [K, 84], in whole numbers
    total: np.uint32  #: of the weights of one output


def _area(length: int) -> _Axis:
    """Every output has as much of each input as it covers."""
    part = gcd(length, SCREEN_SIZE)
    output, source = length // part, SCREEN_SIZE // part  # how wide one of each is, in a unit that divides both
    taps = -(-length // SCREEN_SIZE) + 1
    left = np.arange(SCREEN_SIZE) * output
    first = np.minimum(left // source, length - taps)
    source_left = (first + np.arange(taps)[:, np.newaxis]) * source
    covered = np.minimum(source_left + source, left + output) - np.maximum(source_left, left)
    return _Axis(first.astype(np.int32), np.maximum(covered, 0).astype(np.uint32), np.uint32(output))


def _nearest(length: int) -> _Axis:
    """Every output is one input. The authors resized with Pillow, which takes the nearest centre, as this does."""
    places = np.arange(length, dtype=np.float32)[np.newaxis]
    first = cv2.resize(places, (SCREEN_SIZE, 1), interpolation=cv2.INTER_NEAREST_EXACT)[0]
    return _Axis(first.astype(np.int32), np.ones((1, SCREEN_SIZE), np.uint32), np.uint32(1))


def machine_code(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Machine code, as soon as the module is imported: once, before workers are forked.

    Compiling takes seconds, so Numba keeps the code in `__pycache__` or the user's cache, and takes it up again
    for the same source on the same kind of processor: to be trusted as the `.pyc` files are.
    """

    def compile_now(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(signature, cache=True)(function)
        except Exception:  # nowhere to write, a full disk, or what was kept is damaged
            return njit(signature)(function)

    return compile_now


@machine_code("boolean(uint8[:, ::1], uint8[:, ::1], uint8[:, ::1], int16[::1], boolean[::1])")
def _look_up(colours, looked_up, greys, grey_of, changed):  # type: ignore[no-untyped-def]
    """Bring `greys` up to date with `colours`, and note the rows that have `changed`. False: some were unknown."""
    lowest = np.int16(0)
    for y in range(colours.shape[0]):
        difference = np.uint8(0)
        for x in range(colours.shape[1]):
            difference |= colours[y, x] ^ looked_up[y, x]
        if difference:
            changed[y] = True
            looked_up[y] = colours[y]
            for x in range(colours.shape[1]):
                grey = grey_of[colours[y, x]]
                lowest |= grey
                greys[y, x] = grey
    return lowest >= 0


@njit
def _half(greys, top, heights, height, left, widths, width):  # type: ignore[no-untyped-def]
    """A mean that ends in 1/2, rounded as INTER_AREA happens to: it adds in single precision, in this order."""
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
    """Age the stack; shrink the rows that have `changed`, and repeat the others."""
    size = len(top)
    area, whole = height * width, 1.0 / (height * width)
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
            mean[k] = np.uint32(total[k] * whole + 1e-6)  # total // area, which cannot be done to several at once
            ties |= mean[k] * area == total[k]
        if ties and area > 1:
            for k in range(size):
                if mean[k] * area == total[k]:
                    mean[k] = _half(greys, top[i], heights[:, i], height, left[k], widths[:, k], width)
        for k in range(size):
            stack[i, k] = (stack[i, k] >> np.uint32(8)) | (mean[k] << np.uint32(24))
    changed[:] = False
