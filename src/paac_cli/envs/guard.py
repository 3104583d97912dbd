"""The innermost wrapper of a Gymnasium environment: checks how it answers calls, and copies what it gives."""

import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from paac_cli.errors import EnvironmentSpecError, EnvOutputError


class GuardedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Wraps what the entry point of an environment has made, below all other wrappers.

    Observations are copied, because an environment may overwrite them in its next step, and a wrapper that stacks
    frames keeps them. `info` may be None. `reset` and `step` raise EnvOutputError if they return another number of
    values than those of Gymnasium, as environments of the old package `gym` do.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Raises EnvironmentSpecError if `env` is not a Gymnasium environment, or cannot be seeded."""
        if not isinstance(env, gymnasium.Env):
            raise EnvironmentSpecError(
                f"{_qualified_name(env)} is not derived from gymnasium.Env; derive it, and use gymnasium instead of gym"
            )
        for name in ("observation_space", "action_space"):
            space = getattr(env, name, None)
            if not isinstance(space, spaces.Space):
                found = "is missing" if space is None else f"is a {_qualified_name(space)}"
                raise EnvironmentSpecError(f"{name} {found}; expected a space of gymnasium.spaces")
        if not _takes_seed(env):
            raise EnvironmentSpecError(
                "reset() takes no seed; define reset(self, *, seed=None, options=None) and call "
                "super().reset(seed=seed) in it"
            )
        super().__init__(env)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        # Some environments do not take `options`, which paac never gives.
        given: Any = self.env.reset(seed=seed) if options is None else self.env.reset(seed=seed, options=options)
        if not _is_answer(given, 2):
            raise EnvOutputError(f"reset() returned {_count(given, 2)}; Gymnasium's returns 2: (observation, info)")
        obs, info = given
        return copied(obs), dict(info or {})

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        given: Any = self.env.step(action)
        if type(given) is not tuple or len(given) != 5 or type(given[4]) is not dict:  # the usual case, quickly
            if not _is_answer(given, 5):
                raise EnvOutputError(
                    f"step() returned {_count(given, 5)}; Gymnasium's returns 5: "
                    "(observation, reward, terminated, truncated, info)"
                )
            given = (*given[:4], dict(given[4] or {}))
        obs, reward, terminated, truncated, info = given
        return copied(obs), reward, terminated, truncated, info.copy()


def _is_answer(given: Any, length: int) -> bool:
    """Whether `given` is `length` values, the last of which is `info`."""
    return isinstance(given, tuple | list) and len(given) == length and isinstance(given[-1], Mapping | None)


def copied(obs: Any) -> Any:
    """A copy of an observation, which shares no memory with it."""
    if isinstance(obs, np.ndarray):
        return obs.copy()
    if isinstance(obs, Mapping):
        return {key: copied(entry) for key, entry in obs.items()}
    if isinstance(obs, tuple):
        return tuple(copied(entry) for entry in obs)
    return [copied(entry) for entry in obs] if isinstance(obs, list) else obs


def _takes_seed(env: gymnasium.Env[Any, Any]) -> bool:
    try:
        parameters = inspect.signature(env.reset).parameters
    except (TypeError, ValueError):  # it is not written in Python
        return True
    seed = parameters.get("seed")
    is_keyword = seed is not None and seed.kind not in (seed.POSITIONAL_ONLY, seed.VAR_POSITIONAL)
    return is_keyword or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def _count(given: Any, expected: int) -> str:
    """What a call returned instead of `expected` values, the last of which is `info`."""
    if not isinstance(given, tuple | list):
        return f"only a value of type {type(given).__name__}"
    if len(given) != expected:
        return f"{len(given)} values"
    return f"{expected} values, whose info is of type {type(given[-1]).__name__} instead of dict"


def _qualified_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
