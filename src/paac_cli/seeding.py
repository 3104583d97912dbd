"""Every NumPy random stream of a run, split from the run's seed.

Each stream is a child of `SeedSequence(seed)`. Its spawn key is the purpose of the stream, followed by indices.
Episodes are keyed by environment index and episode index, never by worker, so the number of workers cannot change a
result.

Action noise is not drawn here: it comes from stateless TensorFlow ops keyed by (seed, step).
"""

import numpy as np

# Purposes: the first word of each spawn key. Changing a value changes the results of every run.
_EPISODES, _WEIGHTS, _SHUFFLE, _REPLAY, _EVALUATION = 0, 1, 2, 3, 4


def episode_seed(seed: int, env: int, episode: int) -> np.random.SeedSequence:
    """The seed of all randomness in episode `episode` (from 0) of environment `env`."""
    return np.random.SeedSequence(seed, spawn_key=(_EPISODES, env, episode))


def integer_seed(seed: np.random.SeedSequence) -> int:
    """`seed` as an integer below 2^31, for `gymnasium.Env.reset`: some environments pass it on as a C `int`."""
    return int(seed.generate_state(1)[0]) & 0x7FFF_FFFF


def evaluation_seed(seed: int) -> int:
    """The seed of all evaluations while a run with `seed` trains, for their games and their action noise."""
    return integer_seed(np.random.SeedSequence(seed, spawn_key=(_EVALUATION,)))


def weights_generator(seed: int) -> np.random.Generator:
    """Draws the initial weights of a network."""
    return _generator(seed, _WEIGHTS)


def shuffle_generator(seed: int, update: int) -> np.random.Generator:
    """Draws the order of minibatches in one update. update: unique per update, e.g. the step counter."""
    return _generator(seed, _SHUFFLE, update)


def replay_generator(seed: int, update: int) -> np.random.Generator:
    """Draws the batch of update number `update` (from 0) from the replay buffer."""
    return _generator(seed, _REPLAY, update)


def _generator(seed: int, *spawn_key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))
