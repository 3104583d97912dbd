"""What an environment gives, held against its spaces at every step.

What gets past here is learned from and ends in the weights: a NaN as NaN, an array of another shape as
whatever NumPy can spread it over.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.errors import EnvOutputError

#: What is wrong with a part of an observation, and which part; None if nothing is.
Finder = Callable[[Any], str | None]

_LARGEST = np.finfo(np.float32).max  # networks compute in float32, where all beyond is infinite


class CheckedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that raises EnvOutputError as soon as it gives what cannot be learned from.

    That is an observation that is not of its space in structure, shape or dtype, a choice that is none of the
    space's, or an observation or reward that is NaN or infinite in float32. Bounds of a `Box` are not looked at. Real
    and whole numbers may have another width than the space says, as long as they keep their values or are rounded.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._find = _finder(env.observation_space, ())
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(seed=seed, options=options)
        self._steps = 0
        self._refuse(self._find(obs))
        return obs, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        self._refuse(
            self._find(obs)
            or _wrong_reward(reward)
            or _wrong_flag("terminated", terminated)
            or _wrong_flag("truncated", truncated)
        )
        return obs, float(reward), bool(terminated), bool(truncated), info

    def _refuse(self, finding: str | None) -> None:
        if finding is not None:
            when = f"after step {self._steps} of the episode" if self._steps else "at reset"
            raise EnvOutputError(f"{finding}, {when}")


def _finder(space: spaces.Space[Any], path: tuple[str | int, ...]) -> Finder:
    """The check of the entry of an observation to which the keys in `path` lead."""
    field = f"observation['{'.'.join(map(str, path))}']" if path else "observation"
    if isinstance(space, spaces.Dict):
        return partial(_wrong_dict, field, {key: _finder(entry, (*path, key)) for key, entry in space.items()})
    if isinstance(space, spaces.Tuple):
        return partial(_wrong_tuple, field, [_finder(entry, (*path, index)) for index, entry in enumerate(space)])
    if isinstance(space, spaces.Box):
        return partial(_wrong_box, field, space)
    if isinstance(space, spaces.Discrete):
        return partial(_wrong_choice, field, int(space.start), int(space.start + space.n) - 1)
    if isinstance(space, spaces.MultiDiscrete):
        return partial(_wrong_choices, field, space.start, space.start + space.nvec - 1)
    if isinstance(space, spaces.MultiBinary):
        return partial(_wrong_buttons, field, space.shape)
    return lambda value: None if space.contains(value) else f"{field} is {value!r:.100}; the space says {space}"


def _wrong_dict(field: str, finders: Mapping[str, Finder], value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return f"{field} is of type {type(value).__name__}; the space says a dict of {sorted(finders)}"
    if value.keys() != finders.keys():
        return f"{field} has the keys {sorted(map(str, value))}; the space says {sorted(finders)}"
    return next((finding for key, find in finders.items() if (finding := find(value[key]))), None)


def _wrong_tuple(field: str, finders: list[Finder], value: Any) -> str | None:
    if not isinstance(value, tuple | list):
        return f"{field} is of type {type(value).__name__}; the space says a tuple of {len(finders)}"
    if len(value) != len(finders):
        return f"{field} has {len(value)} entries; the space says {len(finders)}"
    return next((finding for find, entry in zip(finders, value, strict=True) if (finding := find(entry))), None)


def _wrong_box(field: str, space: spaces.Box, value: Any) -> str | None:
    if space.shape == () and isinstance(value, float | int):
        value = np.asarray(value)
    if finding := _wrong_array(field, space.shape, value):
        return finding
    dtype = space.dtype
    if value.dtype != dtype and not _keeps_values(value, dtype):
        return f"{field} is of dtype {value.dtype}; the space says {dtype}"
    if dtype.kind == "f":
        largest = _LARGEST if dtype.itemsize >= _LARGEST.itemsize else np.finfo(np.float16).max
        is_number = np.abs(value) <= largest
        if not is_number.all():
            return _first(field, value, ~is_number)
    return None


def _wrong_array(field: str, shape: tuple[int, ...], value: Any) -> str | None:
    if not isinstance(value, np.ndarray | np.generic):
        return f"{field} is of type {type(value).__name__}; the space says an array of shape {shape}"
    if value.shape != shape:
        return f"{field} has shape {value.shape}; the space says {shape}"
    return None


def _keeps_values(value: NDArray, dtype: np.dtype) -> bool:
    """Whether `value` can be written as `dtype`: real numbers rounded, whole numbers as they are."""
    if value.dtype.kind in "iu" and dtype.kind in "iu":
        return bool((value.astype(dtype) == value).all())
    return np.can_cast(value.dtype, dtype, "same_kind")


def _wrong_choice(field: str, low: int, high: int, value: Any) -> str | None:
    is_whole = isinstance(value, int) or (isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iu")
    if is_whole and np.ndim(value) == 0 and low <= value <= high:
        return None
    return f"{field} is {value!r:.100}; the space says a whole number from {low} to {high}"


def _wrong_choices(field: str, low: NDArray, high: NDArray, value: Any) -> str | None:
    if finding := _wrong_array(field, low.shape, value):
        return finding
    if value.dtype.kind not in "iu":
        return f"{field} is of dtype {value.dtype}; the space says whole numbers"
    is_choice = (low <= value) & (value <= high)
    if is_choice.all():
        return None
    lowest, highest = low[~is_choice].flat[0], high[~is_choice].flat[0]
    return f"{_first(field, value, ~is_choice)}; the space says a whole number from {lowest} to {highest}"


def _wrong_buttons(field: str, shape: tuple[int, ...], value: Any) -> str | None:
    if finding := _wrong_array(field, shape, value):
        return finding
    is_button = (value == 0) | (value == 1)
    return None if is_button.all() else f"{_first(field, value, ~is_button)}; the space says 0 or 1"


def _first(field: str, value: NDArray, is_wrong: NDArray[np.bool_]) -> str:
    """The first wrong number of an array, and where it is."""
    place = f" at {np.argwhere(is_wrong)[0].tolist()}" if np.ndim(is_wrong) else ""
    return f"{field} is {value[is_wrong].flat[0]}{place}"


def _wrong_reward(reward: Any) -> str | None:
    if not isinstance(reward, float | int):  # as np.float64 is
        array = np.asarray(reward)
        if array.ndim or array.dtype.kind not in "biuf":
            return f"reward is {reward!r:.100}, which is no number"
    return None if abs(float(reward)) <= float(_LARGEST) else f"reward is {float(reward)}"


def _wrong_flag(name: str, flag: Any) -> str | None:
    if isinstance(flag, bool | np.bool_) or (isinstance(flag, np.ndarray) and (flag.shape, flag.dtype) == ((), bool)):
        return None
    return f"{name} is {flag!r:.100}, which is neither True nor False"
