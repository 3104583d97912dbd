"""Checks every output of a Gymnasium environment against its spaces.

Without these checks an agent would learn from wrong outputs: a NaN would spread to the weights, and an array of a
wrong shape would be broadcast.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.errors import EnvOutputError

#: Takes an entry of an observation; returns what is wrong with it and where, or None.
Check = Callable[[Any], str | None]

_LARGEST = np.finfo(np.float32).max  # networks compute in float32, where all larger numbers are infinite

# For `isinstance` in every step, where building a union would take as long as the check.
_ARRAY, _NUMBER, _BOOL = (np.ndarray, np.generic), (float, int), (bool, np.bool_)


class CheckedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Wraps an environment; `reset` and `step` raise EnvOutputError if the output is invalid.

    Invalid are an observation that differs from its space in structure, shape or dtype, a discrete value outside its
    space, an observation or reward that is NaN or infinite in float32, and a flag that is not a boolean. The bounds of
    a `Box` are not checked. Floats may have another width than the space; so may integers whose values fit.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._check = make_check(env.observation_space, ())
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(seed=seed, options=options)
        self._steps = 0
        self._raise_if(self._check(obs))
        return obs, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        self._raise_if(
            self._check(obs)
            or _check_reward(reward)
            or _check_flag("terminated", terminated)
            or _check_flag("truncated", truncated)
        )
        return obs, float(reward), bool(terminated), bool(truncated), info

    def _raise_if(self, problem: str | None) -> None:
        if problem is not None:
            when = f"after step {self._steps} of the episode" if self._steps else "at reset"
            raise EnvOutputError(f"{when}: {problem}")


def make_check(space: spaces.Space[Any], path: tuple[str | int, ...]) -> Check:
    """The check of the observation, or of its entry at `path`; `space` is the space of that entry."""
    field = f"observation['{'.'.join(map(str, path))}']" if path else "observation"
    if isinstance(space, spaces.Dict):
        return partial(_check_dict, field, {key: make_check(entry, (*path, key)) for key, entry in space.items()})
    if isinstance(space, spaces.Tuple):
        return partial(_check_tuple, field, [make_check(entry, (*path, index)) for index, entry in enumerate(space)])
    if isinstance(space, spaces.Box):
        return partial(_check_box, field, space.shape, space.dtype)
    if isinstance(space, spaces.Discrete):
        return partial(_check_discrete, field, int(space.start), int(space.start + space.n) - 1)
    if isinstance(space, spaces.MultiDiscrete):
        return partial(_check_multi_discrete, field, space.start, space.start + space.nvec - 1)
    if isinstance(space, spaces.MultiBinary):
        return partial(_check_multi_binary, field, space.shape)
    return lambda value: None if space.contains(value) else f"{field} is {_shown(value)}; expected {space}"


def _check_dict(field: str, checks: Mapping[str, Check], value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return f"{field} is of type {type(value).__name__}; expected a dict of {sorted(map(str, checks))}"
    if value.keys() != checks.keys():
        return f"{field} has the keys {sorted(map(str, value))}; expected {sorted(map(str, checks))}"
    return next((problem for key, check in checks.items() if (problem := check(value[key]))), None)


def _check_tuple(field: str, checks: list[Check], value: Any) -> str | None:
    if not isinstance(value, tuple | list):
        return f"{field} is of type {type(value).__name__}; expected a tuple of {len(checks)}"
    if len(value) != len(checks):
        return f"{field} has {len(value)} entries; expected {len(checks)}"
    return next((problem for check, entry in zip(checks, value, strict=True) if (problem := check(entry))), None)


def _check_box(field: str, shape: tuple[int, ...], dtype: np.dtype, value: Any) -> str | None:
    if shape == () and isinstance(value, _NUMBER):
        value = np.asarray(value)
    if problem := _check_array(field, shape, value):
        return problem
    if value.dtype == dtype == np.float32 and np.isfinite(value).all():  # the usual case, quickly
        return None
    if value.dtype != dtype and not _can_convert(value, dtype):
        return f"{field} is of dtype {value.dtype}; expected {dtype}"
    if dtype.kind == "f":
        largest = _LARGEST if dtype.itemsize >= _LARGEST.itemsize else np.finfo(np.float16).max
        is_finite = np.abs(value) <= largest
        if not is_finite.all():
            return f"{_first_invalid(field, value, ~is_finite)}; expected a finite {largest.dtype}"
    return None


def _check_array(field: str, shape: tuple[int, ...], value: Any) -> str | None:
    if not isinstance(value, _ARRAY):
        return f"{field} is of type {type(value).__name__}; expected an array of shape {shape}"
    if value.shape != shape:
        return f"{field} has shape {value.shape}; expected {shape}"
    return None


def _can_convert(value: NDArray, dtype: np.dtype) -> bool:
    """Whether `value` can be converted to `dtype`: integers keep their values, floats may be rounded."""
    if value.dtype.kind in "iu" and dtype.kind in "iu":
        return bool((value.astype(dtype) == value).all())
    return np.can_cast(value.dtype, dtype, "same_kind")


def _check_discrete(field: str, low: int, high: int, value: Any) -> str | None:
    is_integer = isinstance(value, int) or (isinstance(value, _ARRAY) and value.dtype.kind in "iu")
    if is_integer and np.ndim(value) == 0 and low <= value <= high:
        return None
    return f"{field} is {_shown(value)}; expected an integer from {low} to {high}"


def _check_multi_discrete(field: str, low: NDArray, high: NDArray, value: Any) -> str | None:
    if problem := _check_array(field, low.shape, value):
        return problem
    if value.dtype.kind not in "iu":
        return f"{field} is of dtype {value.dtype}; expected integers"
    is_valid = (low <= value) & (value <= high)
    if is_valid.all():
        return None
    lowest, highest = low[~is_valid].flat[0], high[~is_valid].flat[0]
    return f"{_first_invalid(field, value, ~is_valid)}; expected an integer from {lowest} to {highest}"


def _check_multi_binary(field: str, shape: tuple[int, ...], value: Any) -> str | None:
    if problem := _check_array(field, shape, value):
        return problem
    is_valid = (value == 0) | (value == 1)
    return None if is_valid.all() else f"{_first_invalid(field, value, ~is_valid)}; expected 0 or 1"


def _first_invalid(field: str, value: NDArray, is_invalid: NDArray[np.bool_]) -> str:
    """The first invalid element of an array and its index."""
    index = f" at {np.argwhere(is_invalid)[0].tolist()}" if np.ndim(is_invalid) else ""
    return f"{field} is {value[is_invalid].flat[0]}{index}"


def _check_reward(reward: Any) -> str | None:
    try:
        if not isinstance(reward, _NUMBER):  # np.float64 is a float
            array = np.asarray(reward)
            if array.ndim or array.dtype.kind not in "biuf":
                remedy = "; make one number of it in a wrapper (env.wrappers)" if array.size > 1 else ""
                return f"reward is {_shown(reward)}; expected a number{remedy}"
        number = float(reward)
    except Exception:  # e.g. an integer beyond all floats, or an object that NumPy cannot convert
        return f"reward is {_shown(reward)}; expected a finite float32"
    return None if abs(number) <= float(_LARGEST) else f"reward is {number}; expected a finite float32"


def _check_flag(name: str, flag: Any) -> str | None:
    if isinstance(flag, _BOOL) or (isinstance(flag, np.ndarray) and (flag.shape, flag.dtype) == ((), bool)):
        return None
    return f"{name} is {_shown(flag)}; expected True or False"


def _shown(value: Any) -> str:
    """`value` on one line, in at most 100 characters."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # the value is a third party's
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:100]}..."
