"""Environments whose reset() and step() return something else than they should."""

from typing import Any

import numpy as np
from gymnasium import spaces

from chaos.zoo.case import ends_well, fails
from chaos.zoo.toy import ImageToy, Toy, case

_INVALID = ("step",)


class _Returns(Toy):
    """Returns `changed(...)` of what step() should return."""

    def changed(self, obs: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        raise NotImplementedError

    def step(self, action: Any) -> Any:
        return self.changed(*super().step(action))


@case(fails(1, "step() returned 4 values", "5"))
class ReturnsFourValues(_Returns):
    """Has the API before Gymnasium: step() returns four values."""

    def changed(self, obs: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return obs, reward, terminated, info


@case(fails(1, "reset() returned|at reset"))
class ReturnsOnlyObservation(Toy):
    """Has the API before Gymnasium: reset() returns an observation only."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=seed)[0]


@case(fails(2, "reset() takes no seed"))
class TakesNoSeed(Toy):
    """Has the API before Gymnasium: reset() takes no seed."""

    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


@case(fails(1, "step() returned|none"))
class ReturnsNothing(_Returns):
    """step() returns None."""

    def changed(self, *_: Any) -> Any:
        return None


@case(fails(1, "shape (3,)", "expected (4,)", *_INVALID))
class ReturnsWrongShape(_Returns):
    """Returns an observation of another shape from the second step on."""

    def changed(self, obs: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return obs[:3] if self.steps > 1 else obs, reward, terminated, truncated, info


@case(fails(1, "shape (5,)", "expected (4,)"))
class ChangesShapeInSecondGame(Toy):
    """Returns observations of another shape after the second reset()."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        later = self.steps > 0
        obs, info = super().reset(seed=seed)
        return np.append(obs, obs[:1]) if later else obs, info


@case(fails(1, "dtype", "int", *_INVALID))
class ReturnsWrongDtype(Toy):
    """Returns floats where the space has integers."""

    observation_space = spaces.Box(0, 9, (4,), np.int64)


@case(fails(1, "list", "array", *_INVALID))
class ReturnsList(_Returns):
    """Returns a list as observation."""

    def changed(self, obs: Any, *others: Any) -> Any:
        return obs.tolist(), *others


@case(fails(1, "nan", "observation", *_INVALID))
class ReturnsNan(_Returns):
    """Returns NaN in an observation."""

    def changed(self, obs: Any, *others: Any) -> Any:
        obs[2] = np.nan
        return obs, *others


@case(fails(1, "finite float32", "observation", *_INVALID))
class ReturnsTooLarge(_Returns):
    """Returns a number that is infinite in float32."""

    observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)

    def changed(self, obs: Any, *others: Any) -> Any:
        return obs.astype(np.float64) * 1e39, *others


class _Rewards(_Returns):
    reward: Any

    def changed(self, obs: Any, reward: Any, *others: Any) -> Any:
        return obs, self.reward, *others


@case(fails(1, "reward", "none", *_INVALID))
class RewardsNone(_Rewards):
    """Returns None as reward."""

    reward = None


@case(fails(1, "reward", "many", *_INVALID))
class RewardsText(_Rewards):
    """Returns a text as reward."""

    reward = "many"


@case(fails(1, "reward", "inf", *_INVALID))
class RewardsInfinity(_Rewards):
    """Returns an infinite reward."""

    reward = np.inf


@case(fails(1, "reward", *_INVALID))
class RewardsVector(_Rewards):
    """Returns a vector of rewards."""

    reward = np.ones(2)


@case(fails(1, "terminated", *_INVALID))
class TerminatesWithNone(_Returns):
    """Returns None as terminated."""

    def changed(self, obs: Any, reward: Any, terminated: Any, *others: Any) -> Any:
        return obs, reward, None, *others


@case(fails(1, "truncated", *_INVALID))
class TruncatesWithInfo(_Returns):
    """Returns truncated and info in the wrong order."""

    def changed(self, obs: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return obs, reward, terminated, info, truncated


@case(ends_well())
class ReturnsNumpyScalars(_Returns):
    """Returns NumPy scalars and arrays without dimensions."""

    def changed(self, obs: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return obs, np.float16(reward), np.bool_(terminated), np.array(truncated), info


@case(ends_well())
class ReturnsOddArrays(_Returns):
    """Returns observations that are read-only, not contiguous, and of the other byte order."""

    def changed(self, obs: Any, *others: Any) -> Any:
        odd = np.repeat(obs, 2).astype(">f4")[::2]
        odd.flags.writeable = False
        return odd, *others


@case(fails(1, "type"))
class ReturnsObjects(_Returns):
    """Returns an array of Python objects as observation."""

    def changed(self, obs: Any, *others: Any) -> Any:
        return np.array([None] * 4, object), *others


@case(ends_well())
class EndsEveryStep(_Returns):
    """Ends the game at every step."""

    def changed(self, obs: Any, reward: Any, *others: Any) -> Any:
        return obs, reward, True, False, {}


@case(ends_well())
class ResetsItself(_Returns):
    """Resets itself at the end of a game, before step() returns."""

    def changed(self, obs: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return self.reset()[0] if terminated else obs, reward, terminated, truncated, info


@case(ends_well(), "python -m chaos.zoo.frames $ENV && train --set env.frame_stack=4 --set network.torso=impala")
class ReturnsItsOwnBuffer(ImageToy):
    """Returns the same array in every step, and frames are stacked."""

    def construct(self) -> None:
        self.screen = np.zeros((40, 40, 3), np.uint8)

    def observe(self) -> Any:
        self.screen[...] = self.np_random.integers(0, 256, self.screen.shape, np.uint8)
        return self.screen


@case(ends_well())
class OverwritesItsObservation(Toy):
    """Returns the same array in every step, and overwrites it with NaN before the next."""

    def construct(self) -> None:
        self.buffer = np.zeros(4, np.float32)

    def observe(self) -> Any:
        self.buffer[...] = super().observe()
        return self.buffer

    def step(self, action: Any) -> Any:
        self.buffer[...] = np.nan
        return super().step(action)
