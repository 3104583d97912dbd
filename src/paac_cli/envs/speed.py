"""Tries how long a step of an environment takes."""

import statistics
import time

import numpy as np

from paac_cli.envs.env import Env
from paac_cli.seeding import episode_seed

_STEPS, _SECONDS = 100, 0.02  # that are tried at most


def try_steps(env: Env) -> float:
    """The median seconds of some steps with random actions, which are the same each time."""
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
    return statistics.median(seconds)
