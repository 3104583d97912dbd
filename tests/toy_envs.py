"""Gymnasium environments whose every answer is known beforehand.

Their ids, `toy_envs:Counting-v0` and so on, name this module, which a worker process therefore
imports; the directory of this file is on the learner's `sys.path`, which workers get too.
"""

import builtins
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.config.schema import EnvConfig
from paac_cli.spec import EnvSpec, one_of

#: What `Witness` looks for in `sys.modules`; the last is there in every worker.
WITNESSED = ("tensorflow", "keras", "matplotlib", "click", "paac_cli.sampling.worker")


@dataclass(frozen=True)
class Script:
    """What a toy environment will do."""

    length: int = 3  #: steps of an episode
    ends: Literal["terminated", "truncated", "both", "never"] = "terminated"
    fails_at: int | None = None  #: this step, counted within the episode, raises
    fails_with: str = "ValueError"  #: name of a built-in exception
    fails_when_made: bool = False
    note_when_closed: str | None = None  #: this file appears when the environment is closed


class Counting(gymnasium.Env[NDArray[np.int64], int]):
    """Sees [seed of the episode, steps, sum of actions]; is paid 100 * action + step."""

    observation_space = spaces.Box(0, 2**40, (3,), np.int64)
    action_space = spaces.Discrete(4)

    def __init__(self, script: dict[str, Any] | None = None, render_mode: str | None = None) -> None:
        self._script = Script(**script or {})
        if self._script.fails_when_made:
            raise OSError("no coin inserted")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._seen = np.array([seed, 0, 0], np.int64)
        return self._seen.copy(), {}

    def step(self, action: int):
        self._seen += [0, 1, action]
        steps, script = int(self._seen[1]), self._script
        if steps == script.fails_at:
            raise getattr(builtins, script.fails_with)("the joystick fell off")
        over = steps >= script.length
        terminated = over and script.ends in ("terminated", "both")
        truncated = over and script.ends in ("truncated", "both")
        return self._seen.copy(), 100.0 * action + steps, terminated, truncated, {}

    def close(self) -> None:
        if self._script.note_when_closed is not None:
            Path(self._script.note_when_closed).touch()


class Witness(Counting):
    """Sees which of `WITNESSED` its own process has imported, and the id of that process."""

    observation_space = spaces.Box(0, 2**40, (len(WITNESSED) + 1,), np.int64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        return self._testimony(), {}

    def step(self, action: int):
        _, *rest = super().step(action)
        return self._testimony(), *rest

    def _testimony(self) -> NDArray[np.int64]:
        return np.array([*(name in sys.modules for name in WITNESSED), os.getpid()], np.int64)


class TextObservation(Counting):
    observation_space = spaces.Dict({"position": spaces.Box(0, 1, (2,)), "words": spaces.Text(5)})


class TupleActions(Counting):
    action_space = spaces.Tuple([spaces.Discrete(2), spaces.Discrete(3)])


class ActionsFromOne(Counting):
    """Discrete(4, start=1); refuses any other action."""

    action_space = spaces.Discrete(4, start=1)

    def step(self, action: int):
        assert self.action_space.contains(action), action
        return super().step(action)


class Plain(Counting):
    """Knows nothing of rendering, as the simplest environments do."""

    def __init__(self, script: dict[str, Any] | None = None) -> None:
        super().__init__(script)


for _class in (
    Counting,
    Witness,
    TextObservation,
    TupleActions,
    ActionsFromOne,
    Plain,
):
    gymnasium.register(f"{_class.__name__}-v0", entry_point=f"toy_envs:{_class.__name__}", disable_env_checker=True)


def config_of(toy: type[Counting], **script: Any) -> EnvConfig:
    """A config for `toy` that a worker can use; `script` are fields of `Script`."""
    return EnvConfig(id=f"toy_envs:{toy.__name__}-v0", kwargs={"script": asdict(Script(**script))})


def spec_of(toy: type[Counting]) -> EnvSpec:
    """The spec of `toy`, without making one."""
    box, actions = toy.observation_space, toy.action_space
    return EnvSpec(box.shape, np.dtype(box.dtype), one_of(tuple(str(action) for action in range(actions.n))), 30.0)
