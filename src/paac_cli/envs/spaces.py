"""Gymnasium's spaces as arrays of fixed shape, and back."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.envs.env import Action
from paac_cli.errors import EnvironmentSpecError
from paac_cli.spec import ActionSpec, ObsPart, discrete_action

_LEAVES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


class ObservationTranslator:
    """Observations as rows of memory.

    A `Box` is written as it is (a single number as a vector of one); a stack of screens [K, H, W(, C)]
    with its screens side by side on the last axis. All else becomes one vector: whole numbers one-hot,
    the entries of `Dict` and `Tuple` one after another, as the space has them (a `Dict` sorts its keys).
    """

    def __init__(self, space: spaces.Space[Any], frame_stack: int, env_id: str) -> None:
        """Raises EnvironmentSpecError, which names the space, where it cannot be translated."""
        self._stacked = frame_stack > 1
        self.parts: tuple[ObsPart, ...] = ()
        if isinstance(space, spaces.Box):
            self.shape = _on_last_axis_shape(space.shape) if self._stacked else space.shape or (1,)
            self.dtype = space.dtype
            self._leaves = None
            return
        self._leaves = list(_walk(space, (), env_id))
        self.parts = tuple(
            ObsPart(".".join(map(str, path)), _part_shape(leaf), _is_bytes(leaf)) for path, leaf in self._leaves if path
        )
        self.shape = (sum(spaces.flatdim(leaf) for _, leaf in self._leaves),)
        self.dtype = np.dtype(np.uint8 if all(_is_bytes(leaf) for _, leaf in self._leaves) else np.float32)

    def write(self, obs: Any, out: NDArray) -> None:
        """Put `obs`, an element of the space, into `out`, of `shape` and `dtype`."""
        if self._leaves is None:
            out[...] = _on_last_axis(np.asarray(obs)) if self._stacked else obs
            return
        start = 0
        for path, leaf in self._leaves:
            value = obs
            for key in path:
                value = value[key]
            flat = spaces.flatten(leaf, value)
            out[start : start + len(flat)] = flat
            start += len(flat)


class ActionTranslator:
    """From the policy's actions to those that the environment takes."""

    def __init__(self, space: spaces.Space[Any], env_id: str) -> None:
        """Raises EnvironmentSpecError, which names the space, where it cannot be translated."""
        self._space = space
        if isinstance(space, spaces.Discrete):
            self.spec = discrete_action(tuple(str(space.start + index) for index in range(space.n)))
        elif isinstance(space, spaces.MultiDiscrete):
            self.spec = ActionSpec((space.nvec.size,), tuple(space.nvec.ravel().tolist()))
        elif isinstance(space, spaces.MultiBinary):
            size = int(np.prod(space.shape))
            self.spec = ActionSpec((size,), (2,) * size)
        elif isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating) and space.shape != (0,):
            self.spec = ActionSpec((int(np.prod(space.shape)),), ())
            with np.errstate(all="ignore"):
                centre, reach = (space.high + space.low) / 2, (space.high - space.low) / 2
            bounded = np.isfinite(reach)  # bounds as far apart as numbers can be are none
            self._centre, self._reach = np.where(bounded, centre, 0.0), np.where(bounded, reach, 1.0)
        else:
            raise EnvironmentSpecError(
                f"{env_id}: action space {space} is not supported; "
                "Discrete, MultiDiscrete, MultiBinary and Box of real numbers are"
            )

    def translate(self, action: Action) -> Any:
        """The environment's action for one of ours; real numbers outside of its bounds are cut off."""
        space: Any = self._space
        if isinstance(space, spaces.Discrete):
            return int(space.start) + int(action)
        numbers = np.reshape(np.asarray(action), space.shape)
        if isinstance(space, spaces.Box):
            return np.asarray(np.clip(self._centre + self._reach * numbers, space.low, space.high), space.dtype)
        first = space.start if isinstance(space, spaces.MultiDiscrete) else 0
        return (numbers + first).astype(space.dtype)


def _walk(space: spaces.Space[Any], path: tuple[str | int, ...], env_id: str) -> Iterator[tuple[tuple, Any]]:
    """(keys that lead there, space) of every entry that is made of no others."""
    if isinstance(space, spaces.Dict):
        for key, entry in space.spaces.items():
            yield from _walk(entry, (*path, key), env_id)
    elif isinstance(space, spaces.Tuple):
        for index, entry in enumerate(space.spaces):
            yield from _walk(entry, (*path, index), env_id)
    elif isinstance(space, _LEAVES):
        yield path, space
    else:
        where = f" (at {'.'.join(map(str, path))})" if path else ""
        raise EnvironmentSpecError(
            f"{env_id}: observation space {space}{where} is not supported; "
            "Box, Discrete, MultiDiscrete, MultiBinary, and Dict and Tuple of them are"
        )


def _part_shape(leaf: spaces.Space[Any]) -> tuple[int, ...]:
    return leaf.shape if isinstance(leaf, spaces.Box) else (spaces.flatdim(leaf),)


def _is_bytes(leaf: spaces.Space[Any]) -> bool:
    return isinstance(leaf, spaces.Box) and leaf.dtype == np.uint8


def _on_last_axis(stack: NDArray) -> NDArray:
    """[K, H, W] -> [H, W, K]; [K, H, W, C] -> [H, W, K * C], the newest screen last."""
    moved = np.moveaxis(stack, 0, 2)
    return moved.reshape(*moved.shape[:2], -1)


def _on_last_axis_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    screens, height, width, *channels = shape
    return height, width, screens * (channels[0] if channels else 1)
