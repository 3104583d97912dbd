"""Shuffled minibatches of a rollout."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from paac_cli.seeding import shuffle_generator


def minibatches(
    seed: int,
    update: int,
    *,
    num_steps: int,
    num_envs: int,
    num_epochs: int,
    num_minibatches: int,
    whole_envs: bool = False,
) -> Iterator[list[NDArray]]:
    """For each epoch: a new permutation of the rows of a rollout, in `num_minibatches` equal parts [B] int32.

    Row `t * N + n` is step `t` of environment `n`.

    seed: of the run. update: unique per update of the run, e.g. the step counter.
    whole_envs: each part has all steps of some environments, time-major, as a recurrent cell needs them.
    """
    rng = shuffle_generator(seed, update)
    for _ in range(num_epochs):
        if whole_envs:
            envs = np.split(rng.permutation(num_envs).astype(np.int32), num_minibatches)
            first_rows = np.arange(num_steps, dtype=np.int32)[:, np.newaxis] * num_envs
            yield [(first_rows + part).ravel() for part in envs]
        else:
            yield np.split(rng.permutation(num_steps * num_envs).astype(np.int32), num_minibatches)
