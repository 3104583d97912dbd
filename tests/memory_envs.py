"""Environments in which the right action depends on an earlier observation, and one with illegal actions."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray


class Recall(gymnasium.Env[NDArray[np.float32], int]):
    """Shows one of two cues, then nothing for `delay` steps; the last action earns 1 if it is the index of the cue.

    The observation is [is cue 0, is cue 1, is the last step].
    """

    observation_space = spaces.Box(0.0, 1.0, (3,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, delay: int = 20) -> None:
        self._delay = delay

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self._cue, self._step = int(self.np_random.integers(2)), 0
        return np.eye(3, dtype=np.float32)[self._cue], {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        self._step += 1
        is_last_action = self._step == self._delay + 1
        obs = np.array([0.0, 0.0, self._step == self._delay], np.float32)
        return obs, float(is_last_action and action == self._cue), is_last_action, False, {}


class Masked(gymnasium.Env[NDArray[np.float32], int]):
    """Raises an error if it gets an action that its mask excludes. Each of 4 actions is legal with probability 1/2.

    The reward is the index of the action, so the best one is the last legal one. The observation is the count of steps.
    """

    observation_space = spaces.Box(0.0, 100.0, (1,), np.float32)
    action_space = spaces.Discrete(4)

    def __init__(
        self,
        length: int = 10,
        none_after: int | None = None,
        changes: bool = False,
        mask: Any = None,
        truncates: bool = False,
        dtype: str = "float32",
    ) -> None:
        """none_after: steps after which no action is legal. changes: whether masks differ in every instance.

        mask: given instead of every mask. truncates: whether episodes are truncated instead of terminated. dtype: of
        observations.
        """
        self._length, self._none_after, self._given, self._truncates = length, none_after, mask, truncates
        self.observation_space = spaces.Box(0, 1, (1,), np.bool_) if dtype == "bool" else self.observation_space
        self._instance = np.random.default_rng() if changes else None

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self._step = 0
        return self._obs()

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        if not self._mask[action]:
            raise ValueError(f"action {action} is illegal")
        self._step += 1
        obs, info = self._obs()
        ends = self._step == self._length
        if ends and not self._truncates:
            info["action_mask"] = np.zeros(4, np.int8)  # when the game has ended, no action is legal
        return obs, float(action), ends and not self._truncates, ends and self._truncates, info

    def _obs(self) -> tuple[NDArray[np.float32], dict[str, Any]]:
        self._mask = (self._instance or self.np_random).random(4) < 0.5
        if not self._mask.any():
            self._mask[int(self.np_random.integers(4))] = True
        mask = self._mask.astype(np.int8)
        if self._step == self._none_after:
            mask[:] = 0
        if self._given is not None:
            return np.array([self._step], self.observation_space.dtype), {"action_mask": self._given}
        return np.array([self._step], self.observation_space.dtype), {"action_mask": mask}


gymnasium.register("Recall-v0", Recall)
gymnasium.register("Masked-v0", Masked)
