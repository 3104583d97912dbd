"""The interface of an algorithm: all that the training loop, evaluation and checkpoints know about it."""

from collections.abc import Mapping
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.errors import AlgorithmError
from paac_cli.networks.expected_shapes import expecting
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

if TYPE_CHECKING:  # the loop imports this module before TensorFlow is loaded
    from paac_cli.learning.predictor import Prediction
    from paac_cli.learning.process_group import ProcessGroup

#: Name as in TensorBoard -> scalar `tf.Tensor`. Converting a metric to a float waits for the device. The loop does so
#: once per update, and stops the run if a metric is not finite.
Metrics = Mapping[str, Any]

#: What an agent must have.
_MEMBERS = (
    *("act", "learn", "predict", "policy.to_arrays", "policy.assign", "learner.to_arrays", "learner.assign"),
    *("memory.rewind", "memory.last_batch"),
)


class State(Protocol):
    """A part of an agent that a checkpoint stores."""

    def to_arrays(self) -> dict[str, NDArray]:
        """Name -> array: everything that `assign` needs to restore this state. The arrays may be views."""

    def assign(self, arrays: Mapping[str, NDArray]) -> None:
        """Restore what `to_arrays` returned. Raises CheckpointError if names, shapes or dtypes do not fit."""


class Memory(Protocol):
    """What an agent records while it acts, until it has learned from it."""

    def rewind(self, steps: int) -> None:
        """Drop what was recorded after the last complete rollout, and set the step counter to `steps`.

        steps: agent steps of all environments up to the end of that rollout. Called before a checkpoint is saved in
        the middle of a rollout.
        """

    def last_batch(self) -> dict[str, NDArray]:
        """Name -> array: what the latest update learned from, in addition to the rollout. Saved if it diverges.

        With a `group`, the arrays are [T, n, ...]: the own environments.
        """


class Agent(Protocol):
    """One algorithm: arrays in, actions out.

    policy:  everything that `predict` depends on: weights, and the statistics that normalise observations.
    learner: everything else that learning needs: optimiser slots, counters, experience.
    memory:  what the agent has recorded while acting.
    """

    policy: State
    learner: State
    memory: Memory

    def act(self, step: TimeStep) -> NDArray:
        """Actions [N, ...] for `step.obs`. Waits for the device, because the environments wait for the actions.

        If the config has `supports_overlap`, `step` may hold only some of the environments: those in `step.envs`.
        """

    def learn(self, step: TimeStep) -> Metrics | None:
        """Learn from the outcome of the last actions. Returns the metrics of the last update made here, or None.

        With a `group`, the metrics are the same in all processes.

        Waits for the device only where an episode was truncated, or where the next computation depends on a
        result (an update that may stop early, priorities of replayed transitions).
        """

    def predict(
        self, obs: NDArray, *, seed: int, step: int, greedy: bool, state: NDArray | None = None
    ) -> "Prediction":
        """Play without learning: a pure function of its arguments and the policy.

        obs:    [B, ...].
        state:  [B, S], that of the previous prediction, but 0 where an episode has begun since; None: everywhere.
        greedy: choose the most probable actions; otherwise sample, with noise keyed by (seed, step, row).
        """


def make_agent(
    config: RunConfig,
    spec: EnvSpec,
    policy: Mapping[str, NDArray] | None = None,
    group: "ProcessGroup | None" = None,
) -> Agent:
    """Make the agent that `config.algorithm` names. Imports TensorFlow.

    group: the processes that train together; None if this one is alone. Others need a config with `supports_ranks`.
    policy: the arrays of a checkpoint, if `agent.policy` is going to be assigned them. Then a network that they do not
    fit is not built, however large `config` makes it.

    Raises ConfigError if the network does not fit the observations, or the algorithm the actions; AlgorithmError if a
    third-party algorithm lacks a member of `Agent`; CheckpointError if `policy` does not fit the network.
    """
    module, _, class_name = (config.algorithm.implementation or config.algorithm.name).partition(":")
    implementation = getattr(import_module(module), class_name)
    assert group is None or config.algorithm.supports_ranks
    options = {} if group is None else {"group": group}
    with expecting(None if ":" in config.algorithm.name else policy):  # third-party code may name arrays otherwise
        agent: Agent = implementation(config, spec, **options)
    for member in _MEMBERS:
        try:
            attrgetter(member)(agent)
        except AttributeError as error:
            raise AlgorithmError(
                f"algorithm {config.algorithm.name!r} does not implement {member} ({error}); docs/algorithms/README.md "
                "lists what an algorithm must have"
            ) from error
    return agent
