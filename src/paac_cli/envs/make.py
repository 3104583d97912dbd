"""Makes environments from a config."""

from typing import TYPE_CHECKING

from paac_cli.config.env import EnvConfig
from paac_cli.envs.env import Env, FrameHook
from paac_cli.envs.placeholders import FIRST_COPY, Copy, fill_placeholders
from paac_cli.spec import EnvSpec

if TYPE_CHECKING:
    from paac_cli.envs.gym import GymEnv


def make_env(config: EnvConfig, on_frame: FrameHook | None = None, copy: Copy = FIRST_COPY) -> Env:
    """Make the environment `config.id`. Raises EnvironmentSpecError.

    on_frame: called with every rendered frame, for videos; does not affect observations and rewards.
    copy: fills the placeholders of `config.kwargs`.
    """
    if config.is_atari:
        from paac_cli.envs.atari import AtariEnv

        return AtariEnv(config, on_frame)
    return make_gym_env(config, on_frame, copy)


def make_gym_env(config: EnvConfig, on_frame: FrameHook | None = None, copy: Copy = FIRST_COPY) -> "GymEnv":
    """As `make_env`, for an environment that is not Atari."""
    from paac_cli.envs.gym import GymEnv

    return GymEnv(fill_placeholders(config, copy), on_frame)


def describe_env(config: EnvConfig) -> EnvSpec:
    """The spec of the environment `config.id`. Raises EnvironmentSpecError."""
    if config.is_atari:
        from paac_cli.envs.atari_games import load_game

        return load_game(config).spec
    env = make_env(config)
    try:
        return env.spec
    finally:
        env.close()
