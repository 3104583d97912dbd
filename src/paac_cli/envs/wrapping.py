"""Applies the wrappers of `env.wrappers` to a Gymnasium environment."""

import contextlib
import importlib
import inspect
from typing import Any

import gymnasium
from gymnasium import wrappers

from paac_cli.config.env import WrapperConfig
from paac_cli.config.trust import hidden_file
from paac_cli.envs.hiding import HideElements
from paac_cli.errors import EnvironmentSpecError
from paac_cli.text import about_arguments, describe_error, nearest

#: They write files or open windows, which a checkpoint of somebody else must not make `paac eval` do.
_REFUSED = {"RecordVideo", "HumanRendering"}
_BUILT_IN = {
    name: found
    for name, found in [*vars(wrappers).items(), ("HideElements", HideElements)]
    if inspect.isclass(found) and issubclass(found, gymnasium.Wrapper) and name not in _REFUSED
}


def wrapped(env: gymnasium.Env[Any, Any], config: tuple[WrapperConfig, ...], env_id: str) -> gymnasium.Env[Any, Any]:
    """`env` in the wrappers of `config`, the first one innermost. Raises EnvironmentSpecError.

    env_id: for errors.
    """
    try:
        for index, wrapper in enumerate(config):
            env = _apply(wrapper, env, f"{env_id}: env.wrappers[{index}] = {wrapper.name!r}")
    except EnvironmentSpecError:
        with contextlib.suppress(Exception):  # third-party code may raise anything
            env.close()
        raise
    return env


def _apply(wrapper: WrapperConfig, env: gymnasium.Env[Any, Any], place: str) -> gymnasium.Env[Any, Any]:
    """place: of the wrapper, for errors."""
    make = _find(wrapper.name, place)
    try:
        outer = make(env, **wrapper.kwargs)
    except Exception as error:  # third-party code may raise anything
        hint = about_arguments(error, f"kwargs of {{name: {wrapper.name}, kwargs: {{...}}}}")
        raise EnvironmentSpecError(f"{place} cannot be applied: {describe_error(error)}{hint}") from error
    if not isinstance(outer, gymnasium.Env):
        raise EnvironmentSpecError(f"{place} made a {type(outer).__name__}; derive the wrapper from gymnasium.Wrapper")
    return outer


def _find(name: str, place: str) -> Any:
    """The class of a wrapper. place: where the config names it, for errors."""
    module, colon, attribute = name.partition(":")
    if name in _REFUSED:
        raise EnvironmentSpecError(f"{place} writes files or opens a window; use paac record for videos")
    if not colon:
        if name not in _BUILT_IN:
            hint = nearest(name, _BUILT_IN) or "; a third-party wrapper is written module:Class"
            raise EnvironmentSpecError(f"{place} is not a wrapper of gymnasium.wrappers{hint}")
        return _BUILT_IN[name]
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # third-party code may raise anything while it is imported
        raise EnvironmentSpecError(
            f"{place} cannot be imported: {describe_error(error)}{hidden_file(module)}"
        ) from error
