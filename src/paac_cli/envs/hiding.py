"""A wrapper that removes elements of observations, to make an environment in which a policy needs memory."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray


class HideElements(gymnasium.ObservationWrapper[NDArray, Any, NDArray]):
    """Vector observations without the elements `indices`, e.g. [1, 3], the velocities of CartPole."""

    def __init__(self, env: gymnasium.Env[NDArray, Any], indices: Sequence[int]) -> None:
        """Raises ValueError if the observations are not vectors (a Box with one axis) with these elements."""
        super().__init__(env)
        space = env.observation_space
        if not isinstance(space, spaces.Box) or len(space.shape) != 1:
            raise ValueError(f"it needs vector observations, not {space}")
        size = space.shape[0]
        if not all(type(index) is int and 0 <= index < size for index in indices):
            raise ValueError(f"indices must be integers from 0 to {size - 1}, not {indices}")
        self._shown = np.setdiff1d(np.arange(size), indices)
        self.observation_space = spaces.Box(space.low[self._shown], space.high[self._shown], dtype=space.dtype.type)

    def observation(self, observation: NDArray) -> NDArray:
        return observation[self._shown]
