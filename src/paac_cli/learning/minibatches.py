"""The order in which an update visits the steps of its rollout."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from paac_cli.seeding import shuffle_generator


def minibatches(seed: int, update: int, *, size: int, num_epochs: int, num_minibatches: int) -> Iterator[list[NDArray]]:
    """For each epoch: a new permutation of `range(size)`, split into `num_minibatches` equal parts, each [B] int32.

    update: a number of its own for each update of the run, e.g. the step counter.
    """
    rng = shuffle_generator(seed, update)
    for _ in range(num_epochs):
        yield np.split(rng.permutation(size).astype(np.int32), num_minibatches)
