"""Gymnasium environments that behave unusually, or wrongly: `odd_envs:OwnBuffer-v0` and so on."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import FrameStackObservation
from numpy.typing import NDArray

ALL_DTYPES = ("uint8", "int8", "uint16", "int16", "int64", "uint64", "bool", "float16", "float32", "float64")


class Odd(gymnasium.Env):
    """Observations are [steps so far]; an episode has 3 steps. The base of the others."""

    observation_space = spaces.Box(0, 100, (1,), np.int64)
    action_space = spaces.Discrete(2)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._steps = 0
        return self._obs(), {}

    def step(self, action: int):
        self._steps += 1
        return self._obs(), 1.0, self._steps == 3, False, {}

    def _obs(self) -> Any:
        return np.array([self._steps])


# --- what reset and step return


class OwnBuffer(Odd):
    """Returns the same arrays in every step, which it overwrites: also nested ones, the reward and `info`."""

    def __init__(self, kind: str, render_mode: str | None = None) -> None:
        """kind: of the observation: `image`, `channels first`, `dict` or `tuple`."""
        super().__init__(render_mode)
        shape = (3, 8, 12) if kind == "channels first" else (8, 12, 3)
        image = spaces.Box(0, 255, shape, np.uint8)
        self.observation_space = {
            "dict": spaces.Dict({"camera": image, "inner": spaces.Dict({"speed": spaces.Box(0, 100, (2,))})}),
            "tuple": spaces.Tuple([image, spaces.MultiDiscrete([100, 100])]),
        }.get(kind, image)
        self._image, self._speed = np.zeros(shape, np.uint8), np.zeros(2, np.float32)
        self._pair, self._reward, self._info = np.zeros(2, np.int64), np.zeros(()), {"steps": np.zeros(1)}
        self._given = {
            "dict": {"camera": self._image, "inner": {"speed": self._speed}},
            "tuple": (self._image, self._pair),
        }.get(kind, self._image)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        return self._given, self._info

    def step(self, action: int):
        _, _, terminated, truncated, _ = super().step(action)
        self._reward[...] = self._steps
        return self._given, self._reward, terminated, truncated, self._info

    def _obs(self) -> Any:
        for array in (self._image, self._speed, self._pair, self._info["steps"]):
            array[...] = self._steps
        return self._given


class OldStep(Odd):
    """As environments of `gym` before version 0.26: four values."""

    def step(self, action: int):
        obs, reward, terminated, _, info = super().step(action)
        return obs, reward, terminated, info


class OldReset(Odd):
    """As environments of `gym` before version 0.26: only the observation."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        return super().reset(seed=seed)[0]


class NoSeed(Odd):
    """Cannot be seeded."""

    def reset(self):
        return super().reset()


class NoOptions(Odd):
    """Its `reset` does not take `options`."""

    def reset(self, seed: int | None = None):
        return super().reset(seed=seed)


class NoInfo(Odd):
    """`info` is None."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        return super().reset(seed=seed)[0], None

    def step(self, action: int):
        return *super().step(action)[:4], None


class NumpyOutputs(Odd):
    """Reward and flags are NumPy scalars and arrays without axes."""

    def step(self, action: int):
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, np.array(reward, np.float32), np.bool_(terminated), np.array(truncated), info


class Returns(Odd):
    """Returns what its arguments say, by name."""

    def __init__(self, reset: str = "valid", step: str = "valid", render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self._from_reset, self._from_step = reset, step

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        valid = super().reset(seed=seed)
        return {"valid": valid, "nothing": None, "three": (*valid, 0), "text info": (valid[0], "info")}[
            self._from_reset
        ]

    def step(self, action: int):
        valid = super().step(action)
        changed = {"nothing": None, "six": (*valid, 0), "one": valid[0], "list info": (*valid[:4], [])}
        return {"valid": valid, **changed}[self._from_step]


class ChangingSpace(Odd):
    """Its observation space grows at the second reset."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        size = self.observation_space.shape[0]
        self.observation_space = spaces.Box(0, 100, (size + 1,), np.int64)
        self._size = size
        return super().reset(seed=seed)

    def _obs(self) -> Any:
        return np.full(self._size, self._steps)


# --- spaces


class NoSpace(Odd):
    """Has no observation space."""

    observation_space = None


class TypedImage(Odd):
    """Images [6, 8, 3] of one dtype; every pixel is the number of steps so far, or whether there were any."""

    def __init__(self, dtype: str, high: float | None = None, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        kind = np.dtype(dtype)
        high = high if high is not None else 1 if kind.kind == "b" else 100
        self.observation_space = spaces.Box(0, high, (6, 8, 3), kind.type)

    def _obs(self) -> Any:
        return np.full(self.observation_space.shape, self._steps, self.observation_space.dtype)


#: By name, so that a config can hold it.
SHAPES = {
    "image first": spaces.Box(0, 255, (3, 40, 50), np.uint8),
    "image last": spaces.Box(0, 255, (40, 50, 3), np.uint8),
    "stack first": spaces.Box(0, 1, (4, 40, 50)),
    "both": spaces.Box(0, 255, (3, 40, 4), np.uint8),
    "many first": spaces.Box(0, 255, (12, 40, 40), np.uint8),
    "dict": spaces.Dict(
        {
            "arm": spaces.Dict({"camera": spaces.Box(0, 255, (3, 40, 50), np.uint8)}),
            "map": spaces.Box(0, 255, (40, 50, 1), np.uint8),
            "speed": spaces.Box(-1, 1, (2,)),
        }
    ),
    "tuple": spaces.Tuple([spaces.Box(0, 255, (1, 5, 6), np.uint8), spaces.Discrete(2)]),
    "vector": spaces.Box(-1, 1, (4,)),
}


class Sampled(Odd):
    """Observations are samples of a space; they follow from the seed."""

    def __init__(self, space: str, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = SHAPES[space]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        self.observation_space.seed(seed)
        return super().reset(seed=seed)

    def _obs(self) -> Any:
        return self.observation_space.sample()


# --- rendering

#: What `render` returns, by name.
FRAMES: dict[str, Any] = {
    "rgb": np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3),
    "rgba": np.arange(6 * 8 * 4, dtype=np.uint8).reshape(6, 8, 4),
    "grey": np.arange(6 * 8, dtype=np.uint8).reshape(6, 8),
    "grey channel": np.arange(6 * 8, dtype=np.uint8).reshape(6, 8, 1),
    "none": None,
    "floats": np.zeros((6, 8, 3)),
    "integers": np.zeros((6, 8, 3), np.int64),
    "bools": np.zeros((6, 8, 3), bool),
    "list": [np.zeros((6, 8, 3), np.uint8)],
    "text": "+---+",
    "two channels": np.zeros((6, 8, 2), np.uint8),
    "vector": np.zeros(8, np.uint8),
    "frames": np.zeros((2, 6, 8, 3), np.uint8),
    "empty": np.zeros((0, 8, 3), np.uint8),
}


class Rendered(Odd):
    """Renders what its arguments say, and gives a frame rate."""

    def __init__(self, frame: str = "rgb", fps: Any = 20, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self._frame = frame
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": float(fps) if fps in ("nan", "inf") else fps}

    def render(self) -> Any:
        if self._frame == "raises":
            raise RuntimeError("no display")
        if self._frame == "unfinished":
            raise NotImplementedError("tomorrow")
        if self._frame == "grows":
            return np.zeros((6 + self._steps, 8, 3), np.uint8)
        return FRAMES[self._frame]


class NoMetadata(Odd):
    """Has no metadata."""

    metadata = None  # type: ignore[assignment]


# --- state that is carried from one game to the next


class Carrying(Odd):
    """The observation is [number of the game in this object, noise that follows from the seed]; 5 steps.

    Without `seeded`, the noise does not follow from the seed.
    """

    observation_space = spaces.Box(0, 1000, (2,), np.float64)
    made = 0  #: objects in this process so far

    def __init__(self, seeded: bool = True, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        type(self).made += 1
        self._games, self._seeded, self.is_closed = 0, seeded, False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        self._games += 1
        return super().reset(seed=seed if self._seeded else 0)

    def step(self, action: int):
        obs, reward, _, truncated, info = super().step(action)
        return obs, reward, self._steps == 5, truncated, info

    def close(self) -> None:
        self.is_closed = True

    def _obs(self) -> NDArray[np.float64]:
        return np.array([self._games, self.np_random.random()])


class Random(Odd):
    """The reward of the second step does not follow from the seed."""

    def step(self, action: int):
        obs, reward, *rest = super().step(action)
        return obs, np.random.default_rng().random() if self._steps == 2 else reward, *rest


class Failing(Odd):
    """Its second step raises."""

    def step(self, action: int):
        if self._steps == 1:
            raise RuntimeError("the robot fell over")
        return super().step(action)


class Cellar(gymnasium.Env):
    """Is registered in a namespace only."""


def make_stacked(render_mode: str | None = None) -> gymnasium.Env:
    """An entry point that is a function and applies a wrapper of its own."""
    return FrameStackObservation(TypedImage("uint8"), 2)


for _class in Odd.__subclasses__():
    gymnasium.register(f"{_class.__name__}-v0", entry_point=f"{__name__}:{_class.__name__}", max_episode_steps=100)
gymnasium.register("Stacked-v0", entry_point=make_stacked)
gymnasium.register("Versions-v1", entry_point=NoInfo)
gymnasium.register("Versions-v3", entry_point=NumpyOutputs)
gymnasium.register("Labyrinths/Maze-v0", entry_point=NoInfo)
gymnasium.register("Labyrinths/Cellar-v0", entry_point=f"{__name__}:Cellar")
gymnasium.register("NotAnEnv-v0", entry_point=object)
