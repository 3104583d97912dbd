"""Gymnasium environments whose observations and rewards are known in advance.

Their ids (`toy_envs:Counting-v0` and so on) name this module. A worker process imports it: the directory of this
file is on the learner's `sys.path`, and workers get the same path.
"""

import builtins
import ctypes
import os
import random
import signal
import sys
import time
from codecs import decode
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.config.env import EnvConfig
from paac_cli.spec import EnvSpec, discrete_action

#: The modules that `ProcessInfo` looks for in `sys.modules`. The last one is imported in every worker.
INSPECTED_MODULES = ("tensorflow", "keras", "matplotlib", "click", "paac_cli.sampling.worker")


@dataclass(frozen=True)
class Script:
    """The behaviour of a toy environment. Paths are strings, so that a config can hold them."""

    length: int = 3  #: steps of an episode
    ends: Literal["terminated", "truncated", "both", "never"] = "terminated"
    raises_at_step: int | None = None  #: this step of an episode, counted from 1, raises an exception
    raises_while_exists: str | None = None  #: every step raises an exception while this file exists
    raises_when_made: bool = False
    exception: str = "ValueError"  #: name of a built-in exception, for the steps that raise
    message: str = "the joystick fell off"  #: of that exception; may have escapes such as \\udce9
    slow_while_exists: str | None = None  #: every step takes half a second while this file exists
    forks_when_made: bool = False  #: starts a child process that inherits the worker's pipes
    fault_in: Literal["made", "reset", "step"] | None = None  #: the call in which `fault` happens
    fault_at_step: int = 1  #: if `fault_in` is "step": the step of an episode, counted from 1
    fault: str = "SIGKILL"  #: the process sends itself this signal, or hangs in this way of `HANGS`
    fault_once: str | None = None  #: the fault creates this file, and does not happen if it exists
    touch_when_closed: str | None = None  #: this file is created when the environment is closed


def _spin() -> None:
    while True:
        pass


#: The ways in which a process can hang without a signal.
HANGS = {
    "spin": _spin,
    "hold the GIL": lambda: ctypes.PyDLL(None).sleep(1000),
    "wait for a signal": lambda: ctypes.PyDLL(None).pause(),
}


def _inject_fault(script: Script, call: str, step: int = 1) -> None:
    if script.fault_in != call or step != script.fault_at_step:
        return
    if script.fault_once is not None:
        try:
            Path(script.fault_once).touch(exist_ok=False)
        except FileExistsError:
            return
    if script.fault in HANGS:
        return HANGS[script.fault]()
    os.kill(os.getpid(), getattr(signal, script.fault))


class Counting(gymnasium.Env[NDArray[np.int64], int]):
    """The observation is [seed of the episode, steps, sum of actions]; the reward is 100 * action + step."""

    observation_space = spaces.Box(0, 2**40, (3,), np.int64)
    action_space = spaces.Discrete(4)

    def __init__(self, script: dict[str, Any] | None = None, render_mode: str | None = None) -> None:
        self._script = Script(**script or {})
        if self._script.raises_when_made:
            raise OSError("no coin inserted")
        if self._script.forks_when_made and os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        _inject_fault(self._script, "made")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        _inject_fault(self._script, "reset")
        self._obs = np.array([seed, 0, 0], np.int64)
        return self._obs.copy(), {}

    def step(self, action: int):
        self._obs += [0, 1, action]
        step, script = int(self._obs[1]), self._script
        _inject_fault(script, "step", step)
        if script.slow_while_exists and Path(script.slow_while_exists).exists():
            time.sleep(0.5)
        if step == script.raises_at_step or (script.raises_while_exists and Path(script.raises_while_exists).exists()):
            raise getattr(builtins, script.exception)(decode(script.message, "unicode_escape"))
        over = step >= script.length
        terminated = over and script.ends in ("terminated", "both")
        truncated = over and script.ends in ("truncated", "both")
        return self._obs.copy(), 100.0 * action + step, terminated, truncated, {}

    def close(self) -> None:
        if self._script.touch_when_closed is not None:
            Path(self._script.touch_when_closed).touch()


class UnseededObservation(Counting):
    """The last element of the observation is random and does not follow from the seed: a replay diverges."""

    def step(self, action: int):
        obs, *rest = super().step(action)
        obs[2] = int.from_bytes(os.urandom(4), "little")
        return obs, *rest


class InfoNumbers(Counting):
    """Reports numbers and other values in `info`."""

    def step(self, action: int):
        obs, reward, terminated, truncated, _ = super().step(action)
        info = {"is_success": action > 0, "steps": np.array([obs[1]]), "text": "none", 7: 7}
        return obs, reward, terminated, truncated, info


class UnseededReward(Counting):
    """The reward is random and does not follow from the seed: a replay diverges."""

    def step(self, action: int):
        obs, _, *rest = super().step(action)
        return obs, float(int.from_bytes(os.urandom(3))), *rest


class GlobalRandomState(Counting):
    """The last two elements of the observation come from the global generators of `random` and NumPy."""

    def step(self, action: int):
        obs, *rest = super().step(action)
        obs[1:] = random.getrandbits(32), np.random.randint(2**32)
        return obs, *rest


class ProcessInfo(Counting):
    """The observation says which of `INSPECTED_MODULES` its process has imported, and the process's id."""

    observation_space = spaces.Box(0, 2**40, (len(INSPECTED_MODULES) + 1,), np.int64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        return self._inspect(), {}

    def step(self, action: int):
        _, *rest = super().step(action)
        return self._inspect(), *rest

    def _inspect(self) -> NDArray[np.int64]:
        return np.array([*(name in sys.modules for name in INSPECTED_MODULES), os.getpid()], np.int64)


class TextObservation(Counting):
    """Has an observation space that is not supported."""

    observation_space = spaces.Dict({"position": spaces.Box(0, 1, (2,)), "words": spaces.Text(5)})


class TupleActions(Counting):
    """Has an action space that is not supported."""

    action_space = spaces.Tuple([spaces.Discrete(2), spaces.Discrete(3)])


class ActionsFromOne(Counting):
    """Has the actions 1 to 4 and asserts that it is given no other."""

    action_space = spaces.Discrete(4, start=1)

    def step(self, action: int):
        assert self.action_space.contains(action), action
        return super().step(action)


class NoRenderMode(Counting):
    """Takes no `render_mode`, as the simplest environments do."""

    def __init__(self, script: dict[str, Any] | None = None) -> None:
        super().__init__(script)


#: By name, so that a config can hold it.
ACTION_SPACES: dict[str, spaces.Space[Any]] = {
    "choices": spaces.MultiDiscrete([3, 2, 4]),
    "choices with a start": spaces.MultiDiscrete([3, 2], start=[1, -5]),
    "grid of choices": spaces.MultiDiscrete([[2, 3, 2], [4, 2, 5]]),
    "uint8 choices": spaces.MultiDiscrete([3, 2], dtype=np.uint8),
    "buttons": spaces.MultiBinary(3),
    "grid of buttons": spaces.MultiBinary((2, 2)),
    "bounded": spaces.Box(np.float32([-2, 0]), np.float32([2, 10])),
    "unbounded": spaces.Box(-np.inf, np.inf, (2,)),
    "half bounded": spaces.Box(np.float32([0, -np.inf, -4]), np.float32([np.inf, 0.5, 4])),
    "all of float32": spaces.Box(np.finfo(np.float32).min, np.finfo(np.float32).max, (2,)),
    "grid": spaces.Box(-1, 1, (2, 3)),
    "float64": spaces.Box(-0.1, 0.3, (2,), np.float64),
    "float16": spaces.Box(-1, 3, (2,), np.float16),
    "scalar": spaces.Box(-3, 5, ()),
    "integer box": spaces.Box(-3, 3, (2,), np.int64),
    "empty": spaces.Box(-1, 1, (0,)),
}


class EchoAction(gymnasium.Env):
    """The observation is [2, D]: the latest action, and half of the sum of the two rows before.

    Asserts that every action is an element of its space.
    """

    def __init__(self, actions: str, script: dict[str, Any] | None = None, render_mode: str | None = None) -> None:
        """actions: a key of `ACTION_SPACES`."""
        self.action_space = ACTION_SPACES[actions]
        self.observation_space = spaces.Box(-np.inf, np.inf, (2, int(np.prod(self.action_space.shape))), np.float64)
        self._script = Script(**script or {})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._steps, self._obs = 0, self.np_random.random(self.observation_space.shape)
        return self._obs.copy(), {}

    def step(self, action: NDArray):
        assert isinstance(action, np.ndarray), type(action)
        assert self.action_space.contains(action), action
        self._steps += 1
        self._obs = np.array([action.ravel(), self._obs.sum(axis=0) / 2])
        over = self._steps >= self._script.length
        return self._obs.copy(), 1.0, over and self._script.ends == "terminated", over, {}


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


class SampledObservation(gymnasium.Env):
    """Samples its observations from their space: a function of the seed and the actions so far."""

    action_space = spaces.Discrete(2)

    def __init__(self, space: str, script: dict[str, Any] | None = None, render_mode: str | None = None) -> None:
        """space: a key of `OBSERVATION_SPACES`."""
        self.observation_space = deepcopy(OBSERVATION_SPACES[space])
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


class ScriptedRewards(gymnasium.Env):
    """The observation is always 0. Each step gives the next of `rewards`; the episode ends with the last."""

    action_space = spaces.Discrete(2)
    observation_space = spaces.Box(-np.inf, np.inf, (1,))

    def __init__(self, rewards: list[float | str], render_mode: str | None = None) -> None:
        """rewards: numbers, or strings such as `nan`, which a config cannot hold as numbers."""
        self._rewards = [float(reward) for reward in rewards]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        self._left = self._rewards.copy()
        return np.zeros(1, np.float32), {}

    def step(self, action: int):
        reward = self._left.pop(0)
        return np.zeros(1, np.float32), reward, not self._left, False, {}


class WithoutVelocity(gymnasium.ObservationWrapper):
    """CartPole shows positions only."""

    def __init__(self, env: gymnasium.Env, keep: tuple[int, ...] = (0, 2)) -> None:
        super().__init__(env)
        self._keep = list(keep)
        space = env.observation_space
        self.observation_space = spaces.Box(space.low[self._keep], space.high[self._keep], dtype=space.dtype)

    def observation(self, observation: NDArray) -> NDArray:
        return observation[self._keep]


class WrongShape(gymnasium.ObservationWrapper):
    """Observations do not fit the space."""

    def observation(self, observation: NDArray) -> NDArray:
        return observation[:2]


def not_a_wrapper(env: gymnasium.Env) -> str:
    """What a wrapper must not return."""
    return "an environment"


class TiledImages(gymnasium.Env):
    """Images of 8 x 12 pixels in tiles of 2 x 4; a tile's value encodes its position, the channel and the step."""

    action_space = spaces.Discrete(2)

    def __init__(
        self,
        channels: int = 3,
        script: dict[str, Any] | None = None,
        dtype: str = "uint8",
        render_mode: str | None = None,
    ) -> None:
        """channels: 0 for images [8, 12] without an axis of channels. dtype: of what it returns, instead of uint8."""
        self._channels, self._script, self._dtype = channels, Script(**script or {}), dtype
        self.observation_space = spaces.Box(0, 255, (8, 12, channels) if channels else (8, 12), np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        self._steps = 0
        return self._image(), {}

    def step(self, action: int):
        self._steps += 1
        return self._image(), 1.0, self._steps >= self._script.length, False, {}

    def _image(self) -> NDArray:
        return self.image(self._channels, self._steps).astype(self._dtype)

    @staticmethod
    def image(channels: int, step: int, height: int = 8, width: int = 12) -> NDArray[np.uint8]:
        """The image after `step` steps: [height, width, channels], or [height, width] if `channels` is 0.

        Another height and width give the image resized, if the tiles divide them: 4 rows and 3 columns.
        """
        row, column, channel = np.indices((height, width, channels or 1))
        tiles = (4 * row // height) * 60 + (3 * column // width) * 20 + channel * 5 + step
        return tiles.astype(np.uint8) if channels else tiles[:, :, 0].astype(np.uint8)


for _class in (
    Counting,
    InfoNumbers,
    UnseededObservation,
    UnseededReward,
    GlobalRandomState,
    ProcessInfo,
    TextObservation,
    TupleActions,
    ActionsFromOne,
    NoRenderMode,
    EchoAction,
    SampledObservation,
    ScriptedRewards,
    TiledImages,
):
    gymnasium.register(f"{_class.__name__}-v0", entry_point=f"toy_envs:{_class.__name__}", disable_env_checker=True)


def config_of(toy: type[Counting], **script: Any) -> EnvConfig:
    """The config of `toy`, as a worker needs it; `script` are fields of `Script`."""
    return EnvConfig(id=f"toy_envs:{toy.__name__}-v0", kwargs={"script": asdict(Script(**script))})


def spec_of(toy: type[Counting]) -> EnvSpec:
    """The spec of `toy`, without making an environment."""
    box, actions = toy.observation_space, toy.action_space
    names = tuple(str(action) for action in range(actions.n))
    return EnvSpec(box.shape, np.dtype(box.dtype), discrete_action(names), 30.0)
