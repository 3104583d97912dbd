"""What plays on a pool: an agent, or what stands in for one in a benchmark."""

from typing import Any, Protocol

from numpy.typing import NDArray

from paac_cli.timestep import TimeStep


class Player(Protocol):
    """Chooses actions and learns from their outcome. Every `Agent` is one."""

    def act(self, step: TimeStep) -> NDArray:
        """Actions [N, ...] for `step.obs`."""

    def learn(self, step: TimeStep) -> Any:
        """Learn from the outcome of the last actions; the metrics of an update if this completed one, else None."""
