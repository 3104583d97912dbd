"""The one place where a run's seed becomes randomness.

A seed is split by *environment index* and *episode*, never by worker, so that the number of workers
cannot matter, and an episode depends on nothing that came before it.
"""

import numpy as np

_EPISODES = 0  # first word of the spawn key; other uses of the seed take other numbers


def episode_seed(seed: int, env: int, episode: int) -> np.random.SeedSequence:
    """The source of all randomness in game `episode` of environment `env`."""
    return np.random.SeedSequence(seed, spawn_key=(_EPISODES, env, episode))


def integer_seed(seed: np.random.SeedSequence) -> int:
    """`seed` as a number below 2^32, as Gymnasium takes it."""
    return int(seed.generate_state(1)[0])
