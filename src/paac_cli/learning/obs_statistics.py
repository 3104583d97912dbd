"""Which observations the running statistics of a network are made of."""

from typing import Protocol

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.learning.rollout_memory import merge_time

#: One observation in so many counts: neighbouring observations are nearly the same, and statistics cost time.
OBS_STATS_EVERY = 8


class ObservingNetwork(Protocol):
    """A network that may keep running statistics of its observations."""

    def observe(self, obs: tf.Tensor) -> None:
        """Update the statistics with `obs` [B, ...]."""


class ObsStatistics:
    """Updates a network's running statistics with the newest observation of a rollout and every eighth before it.

    On-policy agents call it after the update, so that the update normalises observations as `act` did.
    """

    def __init__(self, network: ObservingNetwork, *, enabled: bool) -> None:
        """enabled: whether the network normalises observations."""
        self._enabled = enabled
        self._observe = tf.function(lambda obs: network.observe(merge_time(obs)), autograph=False)

    def update(self, obs: NDArray | tf.Tensor) -> None:
        """obs: [T+1, N, ...], the observations of a rollout; a tensor inside a graph, else an array."""
        if self._enabled:
            self._observe(obs[-1::-OBS_STATS_EVERY])
