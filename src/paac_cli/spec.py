"""What an environment looks like from outside: all that memory and networks are laid out by."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class ActionSpec(NamedTuple):
    """Actions are arrays of `shape`: whole numbers below `choices`, or, where there are none, real numbers.

    Real numbers are in units of the environment: -1 and 1 are its bounds, where it has any.
    """

    shape: tuple[int, ...]  #: () for one choice among several, (D,) otherwise
    choices: tuple[int, ...]  #: how many there are, of each whole number; () for real numbers
    names: tuple[str, ...] = ()  #: of the choices, where there is one number to choose

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.int32 if self.choices else np.float32)

    def draw(self, rng: np.random.Generator, *leading: int) -> NDArray:
        """Random actions [*leading, ...], all choices alike; real numbers between their bounds."""
        shape = (*leading, *self.shape)
        if not self.choices:
            return rng.uniform(-1.0, 1.0, shape).astype(self.dtype)
        return rng.integers(self.choices if self.shape else self.choices[0], size=shape, dtype=self.dtype)

    @property
    def num_actions(self) -> int | None:
        """A, where an action is one choice; None otherwise."""
        return self.choices[0] if self.shape == () else None


def discrete_action(names: tuple[str, ...]) -> ActionSpec:
    """One choice among actions of these names."""
    return ActionSpec((), (len(names),), names)


class ObsPart(NamedTuple):
    """One entry of an observation that is made of several, in the row into which they are laid one after another."""

    name: str  #: its path, e.g. `camera` or `arm.angles`
    shape: tuple[int, ...]
    is_bytes: bool  #: whole numbers from 0 to 255


class EnvSpec(NamedTuple):
    """All that the learner and shared memory need to know of an environment."""

    obs_shape: tuple[int, ...]
    obs_dtype: np.dtype
    action: ActionSpec
    fps: float  #: frames per second of real-time play, for films
    frame_stack: int = 1  #: screens that follow one another on the last axis of an observation, the newest last
    parts: tuple[ObsPart, ...] = ()  #: in order, where an observation is made of several
