"""Tries an environment: how long a step takes, and what it reports that the config ignores."""

import statistics
import time
from typing import NamedTuple

import numpy as np

from paac_cli.envs.gym import GymEnv
from paac_cli.seeding import episode_seed

_STEPS, _SECONDS = 100, 0.02  # that are tried at most


class Trial(NamedTuple):
    """What some steps of an environment have shown."""

    step_seconds: float  #: median
    ignores_mask: bool  #: whether it reports an action mask although `env.action_mask` is false


def try_steps(env: GymEnv) -> Trial:
    """Play some steps with random actions, which are the same each time."""
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
    return Trial(statistics.median(seconds), env.ignores_mask)
