"""Makes environments from a config."""

from paac_cli.config.env import EnvConfig
from paac_cli.envs.env import Env, FrameHook
from paac_cli.envs.placeholders import Copy, fill_placeholders
from paac_cli.spec import Determinism, EnvSpec

FIRST_COPY = Copy()


def make_env(config: EnvConfig, on_frame: FrameHook | None = None, copy: Copy = FIRST_COPY) -> Env:
    """Make the environment `config.id`. Raises EnvironmentSpecError.

    on_frame: called with every rendered frame, for videos; does not affect observations and rewards.
    copy: fills the placeholders of `config.kwargs`.
    """
    if config.is_atari:
        from paac_cli.envs.atari import AtariEnv

        return AtariEnv(config, on_frame)
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


def check_env(config: EnvConfig) -> Determinism:
    """Whether games of the environment `config.id`, which is not Atari, are functions of their seeds and actions."""
    from paac_cli.envs.determinism import check_determinism

    return check_determinism(fill_placeholders(config, FIRST_COPY))


def check_rendering(config: EnvConfig, *, needs_frame_rate: bool) -> None:
    """Raise VideoError or EnvironmentSpecError if no video of the environment `config.id` can be recorded."""
    from paac_cli.envs.try_rendering import try_rendering

    try_rendering(fill_placeholders(config, FIRST_COPY), needs_frame_rate=needs_frame_rate)
