"""What an algorithm draws with NumPy, each from a stream of its own, so that nothing depends on the device."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# First words of the spawn keys under the run's seed; episodes have 0.
_WEIGHTS, _SHUFFLE, _REPLAY = 1, 2, 3


def weights_generator(seed: int) -> np.random.Generator:
    """For the first values of weights."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_WEIGHTS,)))


def replay_generator(seed: int, update: int) -> np.random.Generator:
    """For the draws of one update from replayed experience."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_REPLAY, update)))


def minibatches(seed: int, update: int, *, size: int, num_epochs: int, num_minibatches: int) -> Iterator[list[NDArray]]:
    """For each epoch of an update: `size` indices in a new order, cut into equal parts, each [B] int32."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SHUFFLE, update)))
    for _ in range(num_epochs):
        yield np.split(rng.permutation(size).astype(np.int32), num_minibatches)
