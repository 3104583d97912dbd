"""Gymnasium environments whose every answer is known beforehand.

Their ids, `toy_envs:Counting-v0` and so on, name this module, which a worker process therefore
imports; the directory of this file is on the learner's `sys.path`, which workers get too.
"""

import builtins
import ctypes
import os
import random
import signal
import sys
import time
from copy import deepcopy
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
    dawdles_beside: str | None = None  #: every step takes half a second while this file is there
    fails_beside: str | None = None  #: every step raises while this file is there
    fails_saying: str = "the joystick fell off"
    fails_when_made: bool = False
    forks_when_made: bool = False
    trouble_in: Literal["made", "reset", "step"] | None = None  #: here the process meets `trouble`,
    trouble_at: int = 1  #: in this step, counted within the episode,
    trouble: str = "SIGKILL"  #: a signal, or one of `TROUBLES`,
    trouble_once: str | None = None  #: but only where this file is not yet there, which then it is
    note_when_closed: str | None = None  #: this file appears when the environment is closed


def _spin() -> None:
    while True:
        pass


#: How a process can hang.
TROUBLES = {"spin": _spin, "hold the GIL": lambda: ctypes.PyDLL(None).sleep(1000)}


def _meet_trouble(script: Script, where: str, step: int = 1) -> None:
    if script.trouble_in != where or step != script.trouble_at:
        return
    if script.trouble_once is not None:
        try:
            Path(script.trouble_once).touch(exist_ok=False)
        except FileExistsError:
            return
    if script.trouble in TROUBLES:
        TROUBLES[script.trouble]()
    os.kill(os.getpid(), getattr(signal, script.trouble))


class Counting(gymnasium.Env[NDArray[np.int64], int]):
    """Sees [seed of the episode, steps, sum of actions]; is paid 100 * action + step."""

    observation_space = spaces.Box(0, 2**40, (3,), np.int64)
    action_space = spaces.Discrete(4)

    def __init__(self, script: dict[str, Any] | None = None, render_mode: str | None = None) -> None:
        self._script = Script(**script or {})
        if self._script.fails_when_made:
            raise OSError("no coin inserted")
        if self._script.forks_when_made and os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        _meet_trouble(self._script, "made")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        _meet_trouble(self._script, "reset")
        self._seen = np.array([seed, 0, 0], np.int64)
        return self._seen.copy(), {}

    def step(self, action: int):
        self._seen += [0, 1, action]
        steps, script = int(self._seen[1]), self._script
        _meet_trouble(script, "step", steps)
        if script.dawdles_beside and Path(script.dawdles_beside).exists():
            time.sleep(0.5)
        if steps == script.fails_at or (script.fails_beside and Path(script.fails_beside).exists()):
            raise getattr(builtins, script.fails_with)(script.fails_saying)
        over = steps >= script.length
        terminated = over and script.ends in ("terminated", "both")
        truncated = over and script.ends in ("truncated", "both")
        return self._seen.copy(), 100.0 * action + steps, terminated, truncated, {}

    def close(self) -> None:
        if self._script.note_when_closed is not None:
            Path(self._script.note_when_closed).touch()


class Moody(Counting):
    """Sees something else each time that it is played, in the place of the sum of actions."""

    def step(self, action: int):
        seen, *rest = super().step(action)
        seen[2] = int.from_bytes(os.urandom(4), "little")
        return seen, *rest


class Tipping(Counting):
    """Pays something else each time that it is played."""

    def step(self, action: int):
        seen, _, *rest = super().step(action)
        return seen, float(os.urandom(1)[0]), *rest


class Careless(Counting):
    """Sees what everybody's generators give, in the place of steps and actions."""

    def step(self, action: int):
        seen, *rest = super().step(action)
        seen[1:] = random.getrandbits(32), np.random.randint(2**32)
        return seen, *rest


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


#: By name, so that a config can hold it.
ACTION_SPACES: dict[str, spaces.Space[Any]] = {
    "choices": spaces.MultiDiscrete([3, 2, 4]),
    "choices from elsewhere": spaces.MultiDiscrete([3, 2], start=[1, -5]),
    "grid of choices": spaces.MultiDiscrete([[2, 3, 2], [4, 2, 5]]),
    "small choices": spaces.MultiDiscrete([3, 2], dtype=np.uint8),
    "buttons": spaces.MultiBinary(3),
    "grid of buttons": spaces.MultiBinary((2, 2)),
    "bounded": spaces.Box(np.float32([-2, 0]), np.float32([2, 10])),
    "unbounded": spaces.Box(-np.inf, np.inf, (2,)),
    "half bounded": spaces.Box(np.float32([0, -np.inf, -4]), np.float32([np.inf, 0.5, 4])),
    "as large as can be": spaces.Box(np.finfo(np.float32).min, np.finfo(np.float32).max, (2,)),
    "grid": spaces.Box(-1, 1, (2, 3)),
    "double": spaces.Box(-0.1, 0.3, (2,), np.float64),
    "half precision": spaces.Box(-1, 3, (2,), np.float16),
    "one number": spaces.Box(-3, 5, ()),
    "whole numbers": spaces.Box(-3, 3, (2,), np.int64),
    "nothing": spaces.Box(-1, 1, (0,)),
}


class Echo(gymnasium.Env):
    """Sees its latest action, and half of what it saw before beside it; refuses what is no action of its space."""

    def __init__(self, actions: str, script: dict[str, Any] | None = None, render_mode: str | None = None) -> None:
        self.action_space = ACTION_SPACES[actions]
        self.observation_space = spaces.Box(-np.inf, np.inf, (2, int(np.prod(self.action_space.shape))), np.float64)
        self._script = Script(**script or {})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._steps, self._seen = 0, self.np_random.random(self.observation_space.shape)
        return self._seen.copy(), {}

    def step(self, action: NDArray):
        assert isinstance(action, np.ndarray), type(action)
        assert self.action_space.contains(action), action
        self._steps += 1
        self._seen = np.array([action.ravel(), self._seen.sum(axis=0) / 2])
        over = self._steps >= self._script.length
        return self._seen.copy(), 1.0, over and self._script.ends == "terminated", over, {}


#: By name, so that a config can hold it.
OBSERVATION_SPACES: dict[str, spaces.Space[Any]] = {
    "number": spaces.Box(-1, 1, ()),
    "vector": spaces.Box(-1, 1, (3,)),
    "doubles": spaces.Box(-1, 1, (2, 3), np.float64),
    "choice": spaces.Discrete(4, start=-1),
    "choices": spaces.MultiDiscrete([2, 3], start=[5, 0]),
    "grid of choices": spaces.MultiDiscrete([[2, 3], [4, 2]]),
    "buttons": spaces.MultiBinary((2, 2)),
    "pair": spaces.Tuple([spaces.Discrete(3), spaces.Box(-1, 1, (2,))]),
    "bytes": spaces.Dict(
        {"screen": spaces.Box(0, 255, (2, 3), np.uint8), "memory": spaces.Box(0, 255, (4,), np.uint8)}
    ),
    "robot": spaces.Dict(
        {
            "camera": spaces.Box(0, 255, (2, 2, 3), np.uint8),
            "arm": spaces.Dict({"angles": spaces.Box(-np.pi, np.pi, (3,)), "grip": spaces.Discrete(2)}),
            "mode": spaces.Discrete(3, dtype=np.uint8),
            "legs": spaces.Tuple([spaces.MultiBinary(2), spaces.Box(-1, 1, ())]),
        }
    ),
}


class Sampled(gymnasium.Env):
    """Sees what its space gives at random: each time the same for the same seed and the same actions before."""

    action_space = spaces.Discrete(2)

    def __init__(self, shows: str, script: dict[str, Any] | None = None, render_mode: str | None = None) -> None:
        self.observation_space = deepcopy(OBSERVATION_SPACES[shows])
        self._script = Script(**script or {})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        self.observation_space.seed(seed)
        self._steps = 0
        return self.observation_space.sample(), {}

    def step(self, action: int):
        self._steps += 1
        for _ in range(action):
            self.observation_space.sample()
        return self.observation_space.sample(), 1.0, self._steps >= self._script.length, False, {}


class Paying(gymnasium.Env):
    """Always sees 0 and pays these `rewards`, which may be texts such as `nan`; then it ends."""

    action_space = spaces.Discrete(2)
    observation_space = spaces.Box(-np.inf, np.inf, (1,))

    def __init__(self, rewards: list[float | str], render_mode: str | None = None) -> None:
        self._rewards = [float(reward) for reward in rewards]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        self._left = self._rewards.copy()
        return np.zeros(1, np.float32), {}

    def step(self, action: int):
        reward = self._left.pop(0)
        return np.zeros(1, np.float32), reward, not self._left, False, {}


class Screens(gymnasium.Env):
    """Shows screens of 8 x 12 pixels, in tiles of 2 x 4 of one colour that tells the tile, the channel and the step."""

    action_space = spaces.Discrete(2)

    def __init__(self, channels: int = 3, script: dict[str, Any] | None = None, render_mode: str | None = None) -> None:
        self._channels, self._script = channels, Script(**script or {})
        self.observation_space = spaces.Box(0, 255, (8, 12, channels) if channels else (8, 12), np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        self._steps = 0
        return self.screen(self._channels, 0), {}

    def step(self, action: int):
        self._steps += 1
        return self.screen(self._channels, self._steps), 1.0, self._steps >= self._script.length, False, {}

    @staticmethod
    def screen(channels: int, step: int, height: int = 8, width: int = 12) -> NDArray[np.uint8]:
        """What is shown after `step` steps, and what that is in any size that cuts no tile; channels 0: grey."""
        row, column, channel = np.indices((height, width, channels or 1))
        tiles = (4 * row // height) * 60 + (3 * column // width) * 20 + channel * 5 + step
        return tiles.astype(np.uint8) if channels else tiles[:, :, 0].astype(np.uint8)


for _class in (
    Counting,
    Moody,
    Witness,
    TextObservation,
    TupleActions,
    ActionsFromOne,
    Plain,
    Echo,
    Sampled,
    Paying,
    Screens,
    Tipping,
    Careless,
):
    gymnasium.register(f"{_class.__name__}-v0", entry_point=f"toy_envs:{_class.__name__}", disable_env_checker=True)


def config_of(toy: type[Counting], **script: Any) -> EnvConfig:
    """A config for `toy` that a worker can use; `script` are fields of `Script`."""
    return EnvConfig(id=f"toy_envs:{toy.__name__}-v0", kwargs={"script": asdict(Script(**script))})


def spec_of(toy: type[Counting]) -> EnvSpec:
    """The spec of `toy`, without making one."""
    box, actions = toy.observation_space, toy.action_space
    return EnvSpec(box.shape, np.dtype(box.dtype), one_of(tuple(str(action) for action in range(actions.n))), 30.0)
