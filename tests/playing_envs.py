"""Plays games of an environment in this process."""

import numpy as np

from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import make_env
from paac_cli.seeding import episode_seed


def odd(name, *, config=None, **kwargs):
    """The config of an environment of `odd_envs`; config: further fields of EnvConfig."""
    return EnvConfig(id=f"odd_envs:{name}-v0", kwargs=kwargs, **config or {})


def play(env, steps, *, episode=0, action=0):
    """Play until the game is over or for `steps` steps: all observations [steps + 1, ...], and the outcomes."""
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(episode_seed(1, 0, episode), out)
    obs, outcomes = [out.copy()], []
    for _ in range(steps):
        outcomes.append(env.step(action, out))
        obs.append(out.copy())
        if outcomes[-1].game_over:
            break
    return np.array(obs), outcomes


def observations(config, steps=3):
    """The observations of the first `steps` + 1 steps, [steps + 1, ...]."""
    env = make_env(config)
    try:
        return play(env, steps)[0]
    finally:
        env.close()
