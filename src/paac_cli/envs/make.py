"""The environment that a config names."""

from paac_cli.config.schema import EnvConfig
from paac_cli.envs.env import Env, FrameHook
from paac_cli.spec import EnvSpec


def make_env(config: EnvConfig, on_frame: FrameHook | None = None) -> Env:
    """The environment that `config` names. Raises EnvironmentSpecError.

    `on_frame` is called with every frame that is played, for films; it never changes the play.
    """
    if config.is_atari:
        from paac_cli.envs.atari import AtariEnv

        return AtariEnv(config, on_frame)
    from paac_cli.envs.gym import GymEnv

    return GymEnv(config, on_frame)


def describe_env(config: EnvConfig) -> EnvSpec:
    """The spec of the environment that `config` names. Raises EnvironmentSpecError."""
    if config.is_atari:
        from paac_cli.envs.atari_games import load_game

        return load_game(config).spec
    env = make_env(config)
    try:
        return env.spec
    finally:
        env.close()
