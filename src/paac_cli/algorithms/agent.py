"""The seam: all that the loop, evaluation and checkpoints know of an algorithm."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple, Protocol, runtime_checkable

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

#: Name as in TensorBoard -> scalar tensor. Making it a float waits for the device; the loop does, once a `learn`, and
#: stops where one is NaN or infinite.
Metrics = Mapping[str, tf.Tensor]

#: Algorithm's name -> module:class. The one line that a new algorithm adds to the code that was there;
#: one from outside has module:class as its name.
ALGORITHMS = {
    "paac": "paac_cli.algorithms.paac:Paac",
    "ppo": "paac_cli.algorithms.ppo:Ppo",
    "dqn": "paac_cli.algorithms.dqn:Dqn",
    "nstep_q": "paac_cli.algorithms.nstep_q:NstepQ",
}


class Prediction(NamedTuple):
    """What an agent makes of `B` observations outside training."""

    action: NDArray  #: [B, ...] as the environment's spec says
    value: NDArray  #: [B] float32, expected discounted return as learned
    probability: NDArray  #: [B, A] float32, of each choice under the policy; [B, 0] where an action is not one choice


class Predictor:
    """`Agent.predict`, of a network that can play."""

    def __init__(
        self, play: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
    ) -> None:
        """play: (observations [B, ...], seed [2] int64, greedy [] bool) -> the three of a `Prediction`."""
        self._play = tf.function(play)

    def __call__(self, obs: NDArray, *, seed: int, step: int, greedy: bool) -> Prediction:
        key = tf.constant([seed, step], tf.int64)
        action, value, probability = self._play(tf.convert_to_tensor(obs), key, tf.constant(greedy))
        return Prediction(action.numpy(), value.numpy(), probability.numpy())


class State(Protocol):
    """Something that a checkpoint holds."""

    def to_arrays(self) -> dict[str, NDArray]:
        """Name -> array, all that it takes to come back here."""

    def assign(self, arrays: Mapping[str, NDArray]) -> None:
        """Take up what `to_arrays` gave. Raises CheckpointError where names, shapes or dtypes do not fit."""


class Agent(Protocol):
    """One algorithm: arrays in, actions out.

    policy:  what `predict` depends on: weights, and the statistics by which observations are scaled.
    learner: what learning needs beside it: optimiser slots, counters, experience.
    """

    policy: State
    learner: State

    def act(self, step: TimeStep) -> NDArray:
        """Actions [N, ...] for `step.obs`. Waits for the device, because the environments wait for them.

        Where the config says `supports_overlap`, a step may be of some environments (`step.envs`), parts in their order.
        """

    def learn(self, step: TimeStep) -> Metrics | None:
        """Take in what the last actions led to; metrics if this completed an update.

        Waits for the device only where an episode was cut off, or where what comes next depends on what
        was computed (an update that may end early, priorities of replayed steps).
        """

    def rewind(self, steps: int) -> None:
        """Be, for a checkpoint, as after the last `learn` that completed a rollout: what `act` has counted since is
        void, and `steps` is how many steps all environments had made by then.
        """

    def predict(self, obs: NDArray, *, seed: int, step: int, greedy: bool) -> Prediction:
        """Play without learning: a pure function of its arguments and the weights.

        obs: [B, ...]. greedy: the most probable action; otherwise drawn, with noise keyed by (seed, step, row).
        """


@runtime_checkable
class Witness(Protocol):
    """An agent that can tell, where learning has gone bad, what it has learned from."""

    def evidence(self) -> dict[str, NDArray]:
        """Name -> array: what the latest `learn` learned from, beside the rollout."""


def make_agent(config: RunConfig, spec: EnvSpec) -> Agent:
    """The agent that `config.algorithm` names.

    Raises ConfigError where network and observations, or algorithm and actions, do not fit.
    """
    place: str = ALGORITHMS.get(config.algorithm.name, config.algorithm.name)
    module, _, class_name = place.partition(":")
    agent: Agent = getattr(import_module(module), class_name)(config, spec)
    return agent
