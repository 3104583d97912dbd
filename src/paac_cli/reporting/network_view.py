"""What the network observes, as an image or a few numbers for the panel of a video."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.env import EnvConfig
from paac_cli.spec import EnvSpec


class NetworkView:
    """Finds the image or the numbers in the observations of one environment. An action mask belongs to neither.

    Of several stacked frames it gives the newest, and of a Dict or Tuple observation the first image.
    """

    def __init__(self, spec: EnvSpec, config: EnvConfig) -> None:
        plain = spec.without_mask()
        self._shape, self._size = plain.obs_shape, math.prod(plain.obs_shape)
        self._image = _find_image(plain, config.frame_stack)

    @property
    def has_image(self) -> bool:
        """Whether there is an image in the observations; otherwise there are only numbers."""
        return self._image is not None

    @property
    def caption(self) -> str:
        """What is shown."""
        if self._image is None:
            return "1 number" if self._size == 1 else f"{self._size:,} numbers"
        height, width, _ = self._image.shape
        name, frames = self._image.name, self._image.frames
        newest = f", newest of {frames} frames" if frames > 1 else ""
        return f"{f'{name}, ' if name else ''}{height} x {width}{newest}"

    def image(self, obs: NDArray) -> NDArray[np.uint8] | None:
        """The image in `obs` [*obs_shape] as [height, width, 3] RGB; None if there is no image."""
        if self._image is None:
            return None
        first, shape = self._image.first, self._image.shape
        size = math.prod(shape[:2]) * self._image.frames * shape[2]
        stacked = obs.reshape(-1)[first : first + size].reshape(*shape[:2], -1)
        newest = stacked[..., -shape[2] :]
        if newest.dtype != np.uint8:
            newest = np.clip(np.nan_to_num(newest) * self._image.scale, 0, 255).astype(np.uint8)
        if shape[2] != 3:
            newest = newest.mean(axis=-1, keepdims=True).astype(np.uint8) if shape[2] > 1 else newest
            newest = np.repeat(newest, 3, axis=-1)
        return newest

    def numbers(self, obs: NDArray) -> NDArray[np.float64]:
        """The numbers in `obs`, for observations without an image."""
        return obs.reshape(-1)[: self._size].astype(np.float64)


class _Image(NamedTuple):
    """Where an image is in an observation, taken as a vector."""

    name: str
    first: int
    shape: tuple[int, int, int]  #: of one frame
    frames: int  #: that are stacked on the last axis
    scale: float  #: factor to bytes, for other numbers


def _find_image(spec: EnvSpec, frame_stack: int) -> _Image | None:
    if not spec.parts:
        if len(spec.obs_shape) != 3:
            return None
        height, width, channels = spec.obs_shape
        frames = frame_stack if channels % frame_stack == 0 else 1
        return _Image("", 0, (height, width, channels // frames), frames, _scale(spec, ""))
    first = 0
    for part in spec.parts:
        if len(part.shape) == 3:
            height, width, channels = part.shape
            # In a vector with other numbers, bytes are bytes still, as floats.
            return _Image(
                part.name, first, (height, width, channels), 1, 1.0 if part.is_bytes else _scale(spec, part.name)
            )
        first += math.prod(part.shape)
    return None


def _scale(spec: EnvSpec, name: str) -> float:
    high = next((image.high for image in spec.images if image.name == name), None)
    return 255.0 / high if high else 255.0
