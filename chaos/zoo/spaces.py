"""Environments with odd spaces."""

from typing import Any

import numpy as np
from gymnasium import spaces

from chaos.zoo.case import ends_well, fails
from chaos.zoo.toy import ImageToy, Toy, case

_PPO = "train --algorithm ppo --set algorithm.num_steps=8"


class _Samples(Toy):
    """Observes samples of its space."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.observation_space.seed(seed)
        return super().reset(seed=seed)

    def observe(self) -> Any:
        return self.observation_space.sample()


@case(ends_well(), "train && play")
class DiscreteWithStart(_Samples):
    """Counts its observations and actions from -3."""

    observation_space = spaces.Discrete(5, start=-3)
    action_space = spaces.Discrete(2, start=-3)

    def step(self, action: Any) -> Any:
        assert action in (-3, -2), action
        return super().step(action)


@case(ends_well(), "train && play")
class NestedSpaces(_Samples):
    """Has a Dict with odd names and a Tuple in it."""

    observation_space = spaces.Dict(
        {
            "a.b": spaces.Box(-1, 1, (2, 2)),
            "é ñ": spaces.Tuple((spaces.Discrete(3), spaces.MultiBinary(2))),
            "": spaces.MultiDiscrete([2, 3]),
        }
    )


@case(fails(2, "empty"))
class EmptyDict(_Samples):
    """Has an empty Dict as observation space."""

    observation_space = spaces.Dict({})


@case(fails(2, "empty"))
class EmptyBox(_Samples):
    """Has observations without elements."""

    observation_space = spaces.Box(-1, 1, (0,), np.float32)


@case(ends_well())
class ScalarBox(_Samples):
    """Observes a single number without an axis."""

    observation_space = spaces.Box(-1, 1, (), np.float32)


@case(fails(2, "memory|bytes|GB"))
class HugeObservation(Toy):
    """Has observations of a trillion elements."""

    observation_space = spaces.Discrete(10**12)


@case(ends_well())
class LargeObservation(Toy):
    """Has observations of 100,000 elements."""

    observation_space = spaces.Box(-1, 1, (100_000,), np.float32)

    def observe(self) -> Any:
        return self.np_random.random(100_000, np.float32)


@case(ends_well())
class OutOfBounds(Toy):
    """Returns observations outside the bounds of its space."""

    observation_space = spaces.Box(5.0, 6.0, (4,), np.float32)


@case(ends_well())
class NanBounds(Toy):
    """Has NaN as bounds of its space."""

    def construct(self) -> None:
        self.observation_space = spaces.Box(-1, 1, (4,), np.float32)
        self.observation_space.low[...] = self.observation_space.high[...] = np.nan


@case(ends_well(), _PPO)
class UnboundedActions(Toy):
    """Has actions without bounds."""

    action_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)


@case(fails(2, "action", "nan|not finite"), _PPO)
class NanActions(Toy):
    """Has NaN as bounds of its actions."""

    def construct(self) -> None:
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)
        self.action_space.high[...] = np.nan


@case(ends_well(), "train && play")
class SingleAction(Toy):
    """Has only one action."""

    action_space = spaces.Discrete(1)


@case(ends_well(), _PPO)
class ActionMatrix(Toy):
    """Has a matrix of discrete actions."""

    action_space = spaces.MultiDiscrete([[2, 3], [4, 5]])

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        return super().step(action)


@case(fails(2, "action space", "not supported"))
class TextActions(Toy):
    """Has texts as actions."""

    action_space = spaces.Text(5)


@case(fails(2, "observation space", "not supported"))
class SequenceObservations(_Samples):
    """Has sequences of any length as observations."""

    observation_space = spaces.Dict({"words": spaces.Sequence(spaces.Discrete(4))})


@case(fails(2, "cannot be made|observation_space|observation space"))
class NoObservationSpace(Toy):
    """Has no observation space."""

    observation_space = None  # type: ignore[assignment]


@case(ends_well(), "train && play")
class HalfPrecision(_Samples):
    """Observes numbers in float16."""

    observation_space = spaces.Box(-1, 1, (4,), np.float16)


@case(ends_well())
class LongIntegers(_Samples):
    """Observes large integers."""

    observation_space = spaces.Box(-(2**62), 2**62, (4,), np.int64)


@case(ends_well("scale|255", "normalize_obs"), "train --set network.torso=impala")
class FloatImages(ImageToy):
    """Observes images of float32 in 0..255."""

    observation_space = spaces.Box(0, 255, (40, 40, 3), np.float32)

    def observe(self) -> Any:
        return super().observe().astype(np.float32)


@case(ends_well("channels"), "train --set network.torso=impala")
class ChannelsFirst(ImageToy):
    """Observes images whose first axis are the channels."""

    observation_space = spaces.Box(0, 255, (3, 40, 40), np.uint8)


@case(ends_well(), "train --set network.torso=impala --set env.channels=first --set env.resize=[24,24]")
class ChannelsFirstAsConfigured(ChannelsFirst):
    """Observes images whose first axis are the channels, as the config says."""


@case(fails(2, "image"), "train --set env.resize=[24,24]")
class ResizedVectors(Toy):
    """Observes vectors, which the config wants to resize."""


@case(fails(2, "nature", "pixel|small|too"), "train --set network.torso=nature")
class TinyImages(ImageToy):
    """Observes images that are too small for the torso."""

    observation_space = spaces.Box(0, 255, (5, 5, 3), np.uint8)
