"""A Gymnasium environment with its own wrappers and those of paac: checks of its outputs, conversion of images."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import wrappers

from paac_cli.config.env import EnvConfig
from paac_cli.envs.checks import CheckedEnv
from paac_cli.envs.images import ChannelsLastEnv, has_channels_first, require_images
from paac_cli.envs.registry import make_registered
from paac_cli.envs.wrapping import wrapped
from paac_cli.errors import EnvironmentSpecError
from paac_cli.text import describe_error


def open_checked(config: EnvConfig, render_mode: str | None) -> CheckedEnv:
    """Make `config.id` with `config.wrappers`; outputs are checked against its spaces. Raises EnvironmentSpecError.

    render_mode: for the environment; None if it will not be rendered.
    """
    return CheckedEnv(wrapped(make_registered(config, render_mode), config.wrappers, config.id))


def with_images_converted(env: CheckedEnv, config: EnvConfig) -> gymnasium.Env[Any, Any]:
    """`env` with `channels`, `grayscale`, `resize` and `frame_stack` of `config`, in this order.

    Raises EnvironmentSpecError if its observations are no such images.
    """
    try:
        return _convert_images(env, config)
    except Exception as error:  # Gymnasium's wrappers raise various types
        text = str(error) if isinstance(error, ValueError | AssertionError) else describe_error(error)
        raise EnvironmentSpecError(f"{config.id} cannot be made: {text}") from error


def _convert_images(env: gymnasium.Env[Any, Any], config: EnvConfig) -> gymnasium.Env[Any, Any]:
    require_images(env.observation_space, config.channels)
    if has_channels_first(env.observation_space, config.channels):
        env = ChannelsLastEnv(env, config.channels)
    shape = env.observation_space.shape or ()
    if not (config.grayscale or config.resize or config.frame_stack > 1):
        return env
    if len(shape) not in (2, 3) or env.observation_space.dtype != np.uint8:
        raise ValueError(f"grayscale, resize and frame_stack need image observations, not {env.observation_space}")
    env = wrappers.DtypeObservation(env, np.uint8)  # other integers are legal, too, if their values are bytes
    if config.grayscale and len(shape) == 3:
        env = wrappers.GrayscaleObservation(env, keep_dim=True)  # convolutions need an axis of channels
    if config.resize:
        env = wrappers.ResizeObservation(env, config.resize)
    return wrappers.FrameStackObservation(env, config.frame_stack) if config.frame_stack > 1 else env
