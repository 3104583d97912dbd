"""Converts observations from their Gymnasium space to arrays of fixed shape, and actions to theirs."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.envs.env import Action
from paac_cli.errors import EnvironmentSpecError
from paac_cli.spec import ActionSpec, ObsPart, discrete_action
from paac_cli.text import shell_quoted

_LEAVES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


class ObservationTranslator:
    """Writes observations into arrays of `shape` and `dtype`.

    A `Box` is copied (a scalar becomes [1]); a frame stack [K, H, W] or [K, H, W, C] is moved to the last axis:
    [H, W, K * C]. All other spaces become one vector: discrete values are one-hot, and the entries of `Dict` and
    `Tuple` are concatenated in the order of the space (a `Dict` sorts its keys). The vector is uint8 if all entries
    are, otherwise float32.
    """

    def __init__(self, space: spaces.Space[Any], frame_stack: int, env_id: str) -> None:
        """frame_stack: as in the config. Raises EnvironmentSpecError, which names the space, if it is not supported."""
        self._stacked = frame_stack > 1
        self.parts: tuple[ObsPart, ...] = ()
        if isinstance(space, spaces.Box):
            self.shape = _shape_on_last_axis(space.shape) if self._stacked else space.shape or (1,)
            self.dtype = _native(space.dtype)
            self._leaves = None
            _require_elements(self.shape, space, env_id)
            return
        self._leaves = list(walk_leaves(space))
        _require_supported(self._leaves, env_id)
        self.parts = tuple(
            ObsPart(".".join(map(str, path)), _part_shape(leaf), _is_bytes(leaf)) for path, leaf in self._leaves if path
        )
        _require_different_names([part.name for part in self.parts], env_id)
        self.shape = (sum(spaces.flatdim(leaf) for _, leaf in self._leaves),)
        _require_elements(self.shape, space, env_id)
        self.dtype = np.dtype(np.uint8 if all(_is_bytes(leaf) for _, leaf in self._leaves) else np.float32)

    def write(self, obs: Any, out: NDArray) -> None:
        """Write `obs`, an element of the space, into `out`, an array of `shape` and `dtype`."""
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
    """Converts the actions of a policy, whose shape and dtype are in `spec`, to elements of the action space."""

    def __init__(self, space: spaces.Space[Any], env_id: str) -> None:
        """Raises EnvironmentSpecError, which names the space, if it is not supported."""
        self._space = space
        if isinstance(space, spaces.Discrete):
            self.spec = discrete_action(tuple(str(space.start + index) for index in range(space.n)))
        elif isinstance(space, spaces.MultiDiscrete) and space.nvec.size:
            self.spec = ActionSpec((space.nvec.size,), tuple(space.nvec.ravel().tolist()))
        elif isinstance(space, spaces.MultiBinary):
            size = int(np.prod(space.shape))
            self.spec = ActionSpec((size,), (2,) * size)
        elif isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating) and 0 not in space.shape:
            if np.isnan([space.low, space.high]).any():
                raise EnvironmentSpecError(f"{env_id}: a bound of the action space {space} is NaN")
            with np.errstate(all="ignore"):
                centre, half_range = (space.high + space.low) / 2, (space.high - space.low) / 2
            bounded = np.isfinite(half_range)  # bounds whose difference overflows count as infinite
            self._centre, self._half_range = np.where(bounded, centre, 0.0), np.where(bounded, half_range, 1.0)
            self._low, self._high = space.low, space.high
            unbounded = tuple(
                f"element {list(map(int, index))} is between {space.low[tuple(index)]} and {space.high[tuple(index)]}"
                for index in np.argwhere(~bounded)
            )
            self.spec = ActionSpec((int(np.prod(space.shape)),), (), unbounded=unbounded)
        else:
            raise EnvironmentSpecError(
                f"{env_id}: action space {space} is not supported; "
                "use Discrete, MultiDiscrete, MultiBinary, or Box with a float dtype, of at least one element"
            )

    def translate(self, action: Action) -> Any:
        """The element of the action space for `action`. Continuous actions are scaled, then clipped to the bounds."""
        space: Any = self._space
        if isinstance(space, spaces.Discrete):
            return int(space.start) + int(action)
        numbers = np.asarray(action).reshape(space.shape)
        if isinstance(space, spaces.Box):
            scaled = self._centre + self._half_range * numbers
            clipped = np.minimum(np.maximum(scaled, self._low), self._high)  # a third of the time of `np.clip`
            return np.asarray(clipped, space.dtype)
        first = space.start if isinstance(space, spaces.MultiDiscrete) else 0
        return (numbers + first).astype(space.dtype)


def walk_leaves(space: spaces.Space[Any], path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple, Any]]:
    """(path of keys and indices, space) of every entry that is not itself a Dict or Tuple."""
    if isinstance(space, spaces.Dict):
        for key, entry in space.spaces.items():
            yield from walk_leaves(entry, (*path, key))
    elif isinstance(space, spaces.Tuple):
        for index, entry in enumerate(space.spaces):
            yield from walk_leaves(entry, (*path, index))
    else:
        yield path, space


def _require_supported(leaves: Sequence[tuple[tuple, Any]], env_id: str) -> None:
    """Raise EnvironmentSpecError, which names the wrapper that removes them, if `leaves` have unsupported spaces."""
    unsupported = [(path, leaf) for path, leaf in leaves if not isinstance(leaf, _LEAVES)]
    if not unsupported:
        return
    path, leaf = unsupported[0]
    where = f" (at {'.'.join(map(str, path))})" if path else ""
    removed = {path[:1] for path, _ in unsupported}
    kept = list(dict.fromkeys(path[0] for path, _ in leaves if path and path[:1] not in removed))
    wrapper = f"{{name: FilterObservation, kwargs: {{filter_keys: {json.dumps(kept, default=str)}}}}}"
    remedy = f"; --set {shell_quoted(f'env.wrappers=[{wrapper}]')} keeps only the supported entries" if kept else ""
    raise EnvironmentSpecError(
        f"{env_id}: observation space {leaf}{where} is not supported; "
        f"use Box, Discrete, MultiDiscrete, MultiBinary, or Dict and Tuple of them{remedy}"
    )


def _require_elements(shape: tuple[int, ...], space: spaces.Space[Any], env_id: str) -> None:
    if 0 in shape:
        raise EnvironmentSpecError(
            f"{env_id}: observation space {space} has no elements; give it at least one, such as Discrete(1)"
        )


def _require_different_names(names: list[str], env_id: str) -> None:
    """Raise EnvironmentSpecError if a key with a dot gives two entries the same name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise EnvironmentSpecError(
            f"{env_id}: two entries of an observation have the dotted name {twice[0]!r}; rename a key of the Dict"
        )


def _native(dtype: np.dtype) -> np.dtype:
    """`dtype` in the byte order of this machine, and not wider than 64 bits."""
    return np.dtype(np.float64) if dtype.kind == "f" and dtype.itemsize > 8 else dtype.newbyteorder("=")


def _part_shape(leaf: spaces.Space[Any]) -> tuple[int, ...]:
    return leaf.shape if isinstance(leaf, spaces.Box) else (spaces.flatdim(leaf),)


def _is_bytes(leaf: spaces.Space[Any]) -> bool:
    return isinstance(leaf, spaces.Box) and leaf.dtype == np.uint8


def _on_last_axis(stack: NDArray) -> NDArray:
    """[K, H, W] -> [H, W, K]; [K, H, W, C] -> [H, W, K * C], the newest frame last."""
    moved = np.moveaxis(stack, 0, 2)
    return moved.reshape(*moved.shape[:2], -1)


def _shape_on_last_axis(shape: tuple[int, ...]) -> tuple[int, ...]:
    frames, height, width, *channels = shape
    return height, width, frames * (channels[0] if channels else 1)
