"""The seam: all that the training loop, evaluation and checkpoints know of an algorithm."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

if TYPE_CHECKING:  # the loop imports this module before TensorFlow is loaded
    from paac_cli.learning.predictor import Prediction

#: Name as in TensorBoard -> scalar `tf.Tensor`. Converting one to a float waits for the device; the loop does so once
#: per update, and stops the run if one is not finite.
Metrics = Mapping[str, Any]


class State(Protocol):
    """Something that a checkpoint holds."""

    def to_arrays(self) -> dict[str, NDArray]:
        """Name -> array: everything that `assign` needs to restore this state."""

    def assign(self, arrays: Mapping[str, NDArray]) -> None:
        """Restore what `to_arrays` returned. Raises CheckpointError if names, shapes or dtypes do not fit."""


class Memory(Protocol):
    """What an agent records while it acts, until it has learned from it."""

    def rewind(self, steps: int) -> None:
        """Drop what was recorded after the last complete rollout, and set the step counter to its end.

        steps: agent steps of all environments up to there. Called before a checkpoint is saved in mid-rollout.
        """

    def last_batch(self) -> dict[str, NDArray]:
        """Name -> array: what the latest update learned from, beside the rollout. For reports of failed updates."""


class Agent(Protocol):
    """One algorithm: arrays in, actions out.

    policy:  what `predict` depends on: weights, and the statistics that normalise observations.
    learner: what learning needs in addition: optimiser slots, counters, experience.
    memory:  what was recorded while acting.
    """

    policy: State
    learner: State
    memory: Memory

    def act(self, step: TimeStep) -> NDArray:
        """Actions [N, ...] for `step.obs`. Waits for the device, because the environments wait for the actions.

        If the config has `supports_overlap`, a step may be of some of the environments (`step.envs`), in their order.
        """

    def learn(self, step: TimeStep) -> Metrics | None:
        """Learn from the outcome of the last actions. Metrics if this completed an update, else None.

        Waits for the device only where an episode was truncated, or where the next computation depends on a
        result (an update that may stop early, priorities of replayed transitions).
        """

    def predict(self, obs: NDArray, *, seed: int, step: int, greedy: bool) -> "Prediction":
        """Play without learning: a pure function of its arguments and the policy.

        obs: [B, ...]. greedy: the most probable actions; otherwise samples, with noise keyed by (seed, step, row).
        """


def make_agent(config: RunConfig, spec: EnvSpec) -> Agent:
    """The agent that `config.algorithm` names. Imports TensorFlow.

    Raises ConfigError if the network does not fit the observations, or the algorithm the actions.
    """
    module, _, class_name = (config.algorithm.implementation or config.algorithm.name).partition(":")
    agent: Agent = getattr(import_module(module), class_name)(config, spec)
    return agent
