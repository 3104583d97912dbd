"""Shuffled minibatches of a rollout."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from paac_cli.seeding import shuffle_generator


def minibatches(seed: int, update: int, *, size: int, num_epochs: int, num_minibatches: int) -> Iterator[list[NDArray]]:
    """For each epoch: a new permutation of `range(size)`, split into `num_minibatches` equal parts [B] int32.

    seed: of the run. update: unique per update of the run, e.g. the step counter.
    """
    rng = shuffle_generator(seed, update)
    for _ in range(num_epochs):
        yield np.split(rng.permutation(size).astype(np.int32), num_minibatches)
