"""Selects the observations from which a network's running statistics are computed."""

from typing import Protocol

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.learning.graphs import GraphFunction
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.rollout_memory import merge_time
from paac_cli.networks.normalizer import MomentsFunction

_EVERY = 8  # consecutive observations are nearly equal, and statistics take time


class ObservingNetwork(Protocol):
    """A network that can normalise observations by their running statistics."""

    def observe(self, obs: tf.Tensor, moments: MomentsFunction) -> None:
        """Update the statistics with `obs` [B, ...], whose moments are computed by `moments`."""


class ObsStatistics:
    """Updates a network's running statistics: of each rollout, with the newest observation and every eighth before it;
    of a replay agent, with every eighth observation.

    Agents that learn from rollouts call it after learning, so that learning normalises observations as acting did. PAAC
    calls it at the end of the graph of its one update per rollout, which has the observations on the device. PPO and
    n-step Q-learning make several updates per rollout, so they call it after the last one, outside of the graph.
    """

    def __init__(self, network: ObservingNetwork, group: ProcessGroup, *, enabled: bool) -> None:
        """enabled: whether the network normalises observations."""
        self._enabled = enabled
        self._observe = GraphFunction(lambda obs: network.observe(merge_time(obs), group.moments))

    def add_rollout(self, obs: NDArray | tf.Tensor) -> None:
        """Use the newest observation and every eighth before it, without the first, which the rollout before had, too.

        obs: [T+1, N, ...]; in a graph a tensor, otherwise an array.
        """
        if self._enabled:
            self._observe(obs[:0:-_EVERY])

    def add_step(self, obs: NDArray, time: int) -> None:
        """Use the observations [N, ...] after each eighth step. time: number of steps of each environment so far."""
        if self._enabled and time % _EVERY == 0:
            self._observe(obs[None])
