"""Environments whose games never end, do not follow their seed, or carry state over."""

import os
from typing import Any

import numpy as np
from gymnasium import spaces

from chaos.zoo.case import Outcome, ends_well, fails
from chaos.zoo.toy import Toy, case

_RESUME = "train && train --total-steps 480"


@case(ends_well("200", lines=30), "train && play --max-steps 200")
class NeverEnds(Toy):
    """Never ends a game; `paac eval --max-steps` does."""

    def step(self, action: Any) -> Any:
        obs, reward, _, _, info = super().step(action)
        return obs, reward, False, False, info


@case(
    Outcome((1, 130), ("--max-steps",)), "train && timeout --signal INT --preserve-status 45 paac eval run --trust-code"
)
class NeverEndsWithoutLimit(NeverEnds):
    """Never ends a game; `paac eval` without a limit shows progress and a hint until Ctrl-C."""


@case(ends_well("Approximate"), _RESUME)
class IgnoresSeed(Toy):
    """Draws from a generator that no seed controls."""

    def observe(self) -> Any:
        return np.random.default_rng().uniform(-1, 1, 4).astype(np.float32)


@case(ends_well("Approximate"), _RESUME)
class RewardsAtRandom(Toy):
    """Draws its rewards from a generator that no seed controls."""

    def step(self, action: Any) -> Any:
        obs, _, *others = super().step(action)
        return obs, float(os.urandom(1)[0]), *others


@case(ends_well(without=("Approximate",)), f"{_RESUME} --num-workers 1")
class UsesGlobalGenerator(Toy):
    """Draws from the global generator of NumPy, which it seeds in reset()."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        np.random.seed(seed)
        return super().reset(seed=seed)

    def observe(self) -> Any:
        return np.random.uniform(-1, 1, 4).astype(np.float32)


@case(ends_well(), "train && paac verify run --trust-code")
class CarriesState(Toy):
    """Carries state over from one game to the next, like a physics engine."""

    games = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.games += 1
        return super().reset(seed=seed)

    def observe(self) -> Any:
        return np.append(super().observe()[:3], np.float32(self.games / 1000))


@case(ends_well("fresh_per_episode"), "train --set env.fresh_per_episode=false 2>&1 | tee log; echo fresh_per_episode")
class CarriesStateKnowingly(CarriesState):
    """Carries state over, and the user wants one object for all games."""


@case(ends_well(), "train && paac verify run --trust-code")
class DependsOnFirstReset(Toy):
    """Draws the map of all its games from the seed of the first reset()."""

    map: Any = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        obs, info = super().reset(seed=seed)
        if self.map is None:
            self.map = self.np_random.uniform(-1, 1, 4).astype(np.float32)
        return obs, info

    def observe(self) -> Any:
        return super().observe() if self.map is None else self.map


@case(ends_well(without=("Approximate",)), _RESUME)
class NeedsSignedSeed(Toy):
    """Hands its seed to C code that takes a signed 32-bit integer."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        assert seed is None or np.int32(seed) >= 0  # raises OverflowError
        return super().reset(seed=seed)


@case(fails(2, "shape"), "train && LARGE=1 train --total-steps 480")
class ChangesShapeSinceCheckpoint(Toy):
    """Has observations of another shape when the run resumes."""

    def construct(self) -> None:
        self.size = 5 if "LARGE" in os.environ else 4
        self.observation_space = spaces.Box(-1.0, 1.0, (self.size,), np.float32)

    def observe(self) -> Any:
        return self.np_random.uniform(-1, 1, self.size).astype(np.float32)


@case(fails(2, "action"), "train && LARGE=1 train --total-steps 480")
class ChangesActionsSinceCheckpoint(Toy):
    """Has more actions when the run resumes."""

    def construct(self) -> None:
        self.action_space = spaces.Discrete(3 if "LARGE" in os.environ else 2)


@case(ends_well("Approximate"), "train --total-steps 304 && OTHER=1 train --total-steps 480")
class ChangesRulesSinceCheckpoint(Toy):
    """Gives other rewards when the run resumes."""

    def step(self, action: Any) -> Any:
        obs, reward, *others = super().step(action)
        return obs, reward + ("OTHER" in os.environ), *others
