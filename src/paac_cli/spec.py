"""The shapes and dtypes of an environment's observations and actions. Shared memory and networks are built from them.

An action is either one choice among `A` actions (Gymnasium's `Discrete`), or a vector of `D` elements.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray


class ActionSpec(NamedTuple):
    """Discrete actions are int32; element `d` is in [0, choices[d]). Continuous actions (`choices` empty) are float32.

    Continuous actions are scaled: -1 and 1 are the bounds of the environment's action space. An element without two
    finite bounds is not scaled.
    """

    shape: tuple[int, ...]  #: () if an action is one choice, else (D,)
    choices: tuple[int, ...]  #: number of choices of each element; empty for continuous actions
    names: tuple[str, ...] = ()  #: [A], if an action is one choice
    unbounded: tuple[str, ...] = ()  #: descriptions of the continuous elements without two finite bounds

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
    is_bytes: bool  #: whether it is uint8


class ImageSpec(NamedTuple):
    """One image in an observation, as the environment gives it: an array of three axes."""

    name: str  #: as that of an `ObsPart`; empty if the observation is one image
    shape: tuple[int, ...]
    dtype: np.dtype
    channels: Literal["first", "last"]  #: how it is read: [C, H, W], whose channels are moved to the end, or [H, W, C]
    is_ambiguous: bool  #: whether it is read as [H, W, C] although [C, H, W] is as likely
    high: float | None  #: largest finite upper bound of its pixels; None if there is none


class EnvSpec(NamedTuple):
    """The observations, actions and speed of an environment."""

    obs_shape: tuple[int, ...]
    obs_dtype: np.dtype
    action: ActionSpec
    fps: float  #: frames per second of real-time play, for videos
    frame_stack: int = 1  #: consecutive frames on the last axis of an observation, the newest last
    parts: tuple[ObsPart, ...] = ()  #: entries of a Dict or Tuple observation, in the order of the vector
    images: tuple[ImageSpec, ...] = ()  #: all images in an observation
    step_seconds: float | None = None  #: median of what steps took when they were tried; None if they were not
    ignores_mask: bool = False  #: whether a trial has found an action mask although `env.action_mask` is false
    unmasked_shape: tuple[int, ...] | None = None  #: if observations end with an action mask: their shape without it

    @property
    def has_mask(self) -> bool:
        """Whether observations end with an action mask."""
        return self.unmasked_shape is not None

    def with_mask(self) -> "EnvSpec":
        """The same with an action mask [A] after each observation: together a vector, with 1 for a legal action.

        The replay buffer stores such observations whole, as if no frames were stacked.
        """
        size = math.prod(self.obs_shape) + (self.action.num_actions or 0)
        return self._replace(obs_shape=(size,), unmasked_shape=self.obs_shape, frame_stack=1)

    def without_mask(self) -> "EnvSpec":
        """The same without an action mask, as the layers of a network take observations."""
        return (
            self if self.unmasked_shape is None else self._replace(obs_shape=self.unmasked_shape, unmasked_shape=None)
        )

    def scaled(self) -> "EnvSpec":
        """The same with observations as `Torso.scaled` gives them: float32, and no bytes."""
        parts = tuple(part._replace(is_bytes=False) for part in self.parts)
        return self._replace(obs_dtype=np.dtype(np.float32), parts=parts)

    def draw_actions(self, rng: np.random.Generator, obs: NDArray) -> NDArray:
        """Random actions for `obs` [*leading, *obs_shape], uniform over those that are legal."""
        if self.unmasked_shape is None:
            return self.action.draw(rng, *obs.shape[: -len(self.obs_shape)])
        legal = obs[..., math.prod(self.unmasked_shape) :] != 0
        return (rng.random(legal.shape) + legal).argmax(axis=-1).astype(np.int32)


class Determinism(NamedTuple):
    """Whether games of an environment are functions of their seeds and actions, as a check has found it.

    exact             a repeated game is identical
    carries state     identical in a new environment, but different after other games in the same one
    ignores its seed  as "carries state"; and the first game of a new environment is the same for every seed
    random            different even in a new environment
    unknown           the check could not finish: an error, invalid outputs (no detail), or too slow
    """

    verdict: Literal["exact", "carries state", "ignores its seed", "random", "unknown"]
    #: The first difference, e.g. "the reward of step 3"; why it is unknown; or how many steps of a slow environment
    #: were compared.
    detail: str = ""
