"""The shapes and dtypes of an environment's observations and actions. Shared memory and networks are built from them.

`A` is the number of actions, where an action is one choice; `D` the number of elements of an action.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class ActionSpec(NamedTuple):
    """Discrete actions are int32; element `d` is in [0, choices[d]). Continuous actions (`choices` empty) are float32.

    A continuous action is scaled: -1 and 1 are the bounds of the environment's action, where it has finite bounds;
    an element without finite bounds is not scaled.
    """

    shape: tuple[int, ...]  #: () if an action is one choice, else (D,)
    choices: tuple[int, ...]  #: number of choices of each element; empty for continuous actions
    names: tuple[str, ...] = ()  #: [A], if an action is one choice

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.int32 if self.choices else np.float32)

    def draw(self, rng: np.random.Generator, *leading: int) -> NDArray:
        """Random actions [*leading, *shape], uniform over the choices or over [-1, 1)."""
        shape = (*leading, *self.shape)
        if not self.choices:
            return rng.uniform(-1.0, 1.0, shape).astype(self.dtype)
        return rng.integers(self.choices if self.shape else self.choices[0], size=shape, dtype=self.dtype)

    @property
    def num_actions(self) -> int | None:
        """A, if an action is one choice; otherwise None."""
        return self.choices[0] if self.shape == () else None


def discrete_action(names: tuple[str, ...]) -> ActionSpec:
    """The spec of an action that is one choice among `names` [A]."""
    return ActionSpec((), (len(names),), names)


class ObsPart(NamedTuple):
    """One entry of a Dict or Tuple observation, whose entries are flattened and concatenated into one vector."""

    name: str  #: dotted path, e.g. `camera` or `arm.angles`
    shape: tuple[int, ...]  #: before it is flattened
    is_bytes: bool  #: uint8, from 0 to 255


class EnvSpec(NamedTuple):
    """What the learner and shared memory need to know about an environment."""

    obs_shape: tuple[int, ...]
    obs_dtype: np.dtype
    action: ActionSpec
    fps: float  #: frames per second of real-time play, for videos
    frame_stack: int = 1  #: consecutive frames on the last axis of an observation, the newest last
    parts: tuple[ObsPart, ...] = ()  #: of a Dict or Tuple observation, in the order of the vector; otherwise empty
