"""Images in observations: which axis holds their channels, and moving it to the end."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.config.env import Channels
from paac_cli.envs.spaces import walk_leaves
from paac_cli.spec import ImageSpec

_USUAL = (1, 3, 4)  # numbers of channels: grey, RGB, and RGBA or four stacked grey frames


class ChannelsLastEnv(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Moves the channels of images [C, H, W] to the last axis, also in `Dict` and `Tuple` observations."""

    def __init__(self, env: gymnasium.Env[Any, Any], channels: Channels) -> None:
        super().__init__(env)
        self.observation_space, self._convert = _converted(env.observation_space, channels)

    def observation(self, observation: Any) -> Any:
        return self._convert(observation)


def has_channels_first(space: spaces.Space[Any], channels: Channels) -> bool:
    """Whether `ChannelsLastEnv` changes observations of `space`."""
    return any(_is_moved(box.shape, channels) for _, box in _images(space))


def describe_images(space: spaces.Space[Any], channels: Channels) -> tuple[ImageSpec, ...]:
    """All images in observations of `space`: every `Box` of three axes, as the environment gives it."""
    return tuple(
        ImageSpec(
            name=".".join(map(str, path)),
            shape=box.shape,
            dtype=np.dtype(box.dtype),
            channels="first" if _is_moved(box.shape, channels) else "last",
            is_ambiguous=channels == "auto" and _is_ambiguous(box.shape),
            high=_largest_value(box),
        )
        for path, box in _images(space)
    )


def require_images(space: spaces.Space[Any], channels: Channels) -> None:
    """Raise ValueError if `channels` is set, but observations of `space` hold no images."""
    if channels != "auto" and not list(_images(space)):
        raise ValueError(f"channels needs images of three axes, not {space}")


def _images(space: spaces.Space[Any]) -> Iterator[tuple[tuple, spaces.Box]]:
    """(path of keys and indices, space) of every image."""
    return ((path, leaf) for path, leaf in walk_leaves(space) if isinstance(leaf, spaces.Box) and len(leaf.shape) == 3)


def _is_moved(shape: tuple[int, ...], channels: Channels) -> bool:
    """Whether an image of `shape` has its channels first."""
    if channels != "auto":
        return channels == "first"
    first, height, width = shape
    return first in _USUAL and min(height, width) > first and width not in _USUAL


def _is_ambiguous(shape: tuple[int, ...]) -> bool:
    """Whether an image of `shape`, taken as [H, W, C], may as well be [C, H, W]."""
    first, height, width = shape
    if _is_moved(shape, "auto"):
        return False
    return (first in _USUAL and width in _USUAL and min(height, width) >= first) or first < height == width


def _largest_value(box: spaces.Box) -> float | None:
    is_finite = np.isfinite(box.high)
    return float(box.high[is_finite].max()) if is_finite.any() else None


def _converted(space: spaces.Space[Any], channels: Channels) -> tuple[spaces.Space[Any], Callable[[Any], Any]]:
    """The space of converted observations, and the conversion of one."""
    if isinstance(space, spaces.Dict):
        entries = {key: _converted(entry, channels) for key, entry in space.spaces.items()}
        converted = spaces.Dict({key: entry for key, (entry, _) in entries.items()})
        return converted, lambda obs: {key: convert(obs[key]) for key, (_, convert) in entries.items()}
    if isinstance(space, spaces.Tuple):
        members = [_converted(entry, channels) for entry in space.spaces]
        return spaces.Tuple([entry for entry, _ in members]), lambda obs: tuple(
            convert(entry) for entry, (_, convert) in zip(obs, members, strict=True)
        )
    if isinstance(space, spaces.Box) and len(space.shape) == 3 and _is_moved(space.shape, channels):
        return spaces.Box(_to_last_axis(space.low), _to_last_axis(space.high), dtype=space.dtype.type), _to_last_axis
    return space, lambda obs: obs


def _to_last_axis(image: NDArray) -> NDArray:
    """[C, H, W] -> [H, W, C], contiguous, as OpenCV needs it."""
    return np.ascontiguousarray(np.moveaxis(image, 0, 2))
