"""Applies the wrappers of `env.wrappers` to a Gymnasium environment."""

import importlib
import inspect
from typing import Any

import gymnasium
from gymnasium import wrappers

from paac_cli.config.env import WrapperConfig
from paac_cli.errors import EnvironmentSpecError, PaacError
from paac_cli.text import describe_error, nearest

_GYMNASIUMS = {
    name: found
    for name, found in vars(wrappers).items()
    if inspect.isclass(found) and issubclass(found, gymnasium.Wrapper)
}


def wrapped(env: gymnasium.Env[Any, Any], config: tuple[WrapperConfig, ...], env_id: str) -> gymnasium.Env[Any, Any]:
    """`env` in the wrappers of `config`, the first one innermost. Raises EnvironmentSpecError.

    env_id: for errors.
    """
    for index, one in enumerate(config):
        key = f"env.wrappers[{index}] = {one.name!r}"
        make = _find(one.name, key)
        try:
            outer = make(env, **one.kwargs)
        except PaacError:
            raise
        except Exception as error:  # third-party code may raise anything
            raise EnvironmentSpecError(f"{env_id}: {key} cannot be applied: {describe_error(error)}") from error
        if not isinstance(outer, gymnasium.Env):
            raise EnvironmentSpecError(
                f"{env_id}: {key} made a {type(outer).__name__}; derive the wrapper from gymnasium.Wrapper"
            )
        env = outer
    return env


def _find(name: str, key: str) -> Any:
    """The class of a wrapper. key: where the config names it, for errors."""
    module, colon, attribute = name.partition(":")
    if not colon:
        if name not in _GYMNASIUMS:
            hint = nearest(name, _GYMNASIUMS) or "; a third-party wrapper is written module:Class"
            raise EnvironmentSpecError(f"{key} is not a wrapper of gymnasium.wrappers{hint}")
        return _GYMNASIUMS[name]
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # third-party code may raise anything while it is imported
        raise EnvironmentSpecError(f"{key} cannot be imported: {describe_error(error)}") from error
