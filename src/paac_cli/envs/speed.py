"""Tries an environment: how long a step takes, and what it reports that the config ignores."""

import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

from paac_cli.seeding import episode_seed
from paac_cli.spec import EnvSpec

if TYPE_CHECKING:
    from paac_cli.envs.gym import GymEnv

_STEPS, _SECONDS = 100, 0.02  # that are tried at most


def try_steps(env: "GymEnv") -> EnvSpec:
    """The spec of `env` with what some steps have shown. Their actions are random, and the same each time."""
    spec = env.spec
    rng, obs = np.random.default_rng(0), np.empty(spec.obs_shape, spec.obs_dtype)
    game = 0
    seconds: list[float] = []
    env.new_game(episode_seed(0, 0, game), obs)
    while len(seconds) < _STEPS and sum(seconds) < _SECONDS:
        action, begin = spec.draw_actions(rng, obs), time.perf_counter()
        outcome = env.step(action, obs)
        seconds.append(time.perf_counter() - begin)
        if outcome.game_over:
            game += 1
            env.new_game(episode_seed(0, 0, game), obs)
    return spec._replace(step_seconds=statistics.median(seconds), ignores_mask=env.ignores_mask)
