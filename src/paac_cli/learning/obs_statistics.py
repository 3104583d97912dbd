"""Selects the observations from which a network's running statistics are computed."""

from typing import Protocol

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.learning.graphs import GraphFunction
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.rollout_memory import merge_time
from paac_cli.networks.normalizer import MomentsFunction

#: Only every eighth observation is used: consecutive observations are nearly equal, and statistics take time.
OBS_STATS_EVERY = 8


class ObservingNetwork(Protocol):
    """A network that can normalise observations by their running statistics."""

    def observe(self, obs: tf.Tensor, moments: MomentsFunction) -> None:
        """Update the statistics with `obs` [B, ...], whose moments are computed by `moments`."""


class ObsStatistics:
    """Updates a network's running statistics with the newest observation of a rollout and every eighth before it.

    On-policy agents call `update` after learning from the rollout, so that learning normalises observations as acting
    did.
    """

    def __init__(self, network: ObservingNetwork, group: ProcessGroup, *, enabled: bool) -> None:
        """enabled: whether the network normalises observations."""
        self._enabled = enabled
        self._observe = GraphFunction(lambda obs: network.observe(merge_time(obs), group.moments))

    def update(self, obs: NDArray | tf.Tensor) -> None:
        """obs: [T+1, N, ...], the observations of a rollout; in a graph a tensor, otherwise an array."""
        if self._enabled:
            self._observe(obs[-1::-OBS_STATS_EVERY])
