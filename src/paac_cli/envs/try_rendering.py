"""Whether videos of an environment can be recorded, tried before games are played for one."""

import contextlib

import numpy as np

from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import make_gym_env
from paac_cli.seeding import episode_seed


def try_rendering(config: EnvConfig, *, needs_frame_rate: bool) -> None:
    """Make the environment `config.id`, which is not Atari, start a game, take one frame of it and close it.

    needs_frame_rate: whether the video has the frame rate of the environment, because the user gives none.

    Raises VideoError if the environment renders no RGB images, or gives a frame rate that no video can have;
    EnvironmentSpecError if it cannot be made for rendering; and what its `reset` raises.
    """
    with contextlib.closing(make_gym_env(config, on_frame=lambda _: None)) as env:
        if needs_frame_rate:
            env.require_frame_rate()
        env.new_game(episode_seed(0, 0, 0), np.empty(env.spec.obs_shape, env.spec.obs_dtype))
