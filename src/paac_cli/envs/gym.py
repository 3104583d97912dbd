"""Any Gymnasium environment with a `Box` observation and `Discrete` actions."""

import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.config.load import nearest
from paac_cli.config.schema import EnvConfig
from paac_cli.envs.env import EnvSpec, FrameHook, Outcome
from paac_cli.errors import EnvironmentSpecError

# pygame, which draws the classic-control environments, must not look for a screen.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def _make(config: EnvConfig, render_mode: str | None) -> gymnasium.Env[Any, Any]:
    if ":" not in config.id and config.id not in gymnasium.registry:
        raise EnvironmentSpecError(f"unknown environment {config.id!r}{nearest(config.id, gymnasium.registry)}")
    kwargs: dict[str, Any] = dict(config.kwargs)
    if render_mode is not None:  # not all environments know the keyword
        kwargs["render_mode"] = render_mode
    try:
        return gymnasium.make(config.id, **kwargs)
    except Exception as error:  # whatever its constructor thinks of our arguments
        raise EnvironmentSpecError(f"{config.id} cannot be made: {error}") from error


class GymEnv:
    """One Gymnasium environment; rewards are learned as they are scored."""

    def __init__(self, config: EnvConfig, on_frame: FrameHook | None = None) -> None:
        self._env = _make(config, None if on_frame is None else "rgb_array")
        self._on_frame = on_frame
        self.spec = self._describe(config.id)
        self._first_action = int(self._env.action_space.start)  # type: ignore[attr-defined]
        self.score, self.length = 0.0, 0

    def new_game(self, seed: np.random.SeedSequence, out: NDArray) -> None:
        out[...], _ = self._env.reset(seed=int(seed.generate_state(1)[0]))
        self.score, self.length = 0.0, 0
        self._show_frame()

    def step(self, action: int, out: NDArray) -> Outcome:
        out[...], reward, terminated, truncated, _ = self._env.step(self._first_action + action)
        self.score += float(reward)
        self.length += 1
        self._show_frame()
        return Outcome(
            reward=float(reward),
            terminated=bool(terminated),
            truncated=bool(truncated) and not terminated,
            game_over=bool(terminated or truncated),
        )

    def close(self) -> None:
        self._env.close()

    def _show_frame(self) -> None:
        if self._on_frame is not None:
            frame = self._env.render()
            assert isinstance(frame, np.ndarray)
            self._on_frame(frame)

    def _describe(self, env_id: str) -> EnvSpec:
        observation, action = self._env.observation_space, self._env.action_space
        if not isinstance(observation, spaces.Box):
            raise EnvironmentSpecError(f"{env_id}: observation space {observation} is not supported; Box is")
        if not isinstance(action, spaces.Discrete):
            raise EnvironmentSpecError(f"{env_id}: action space {action} is not supported; Discrete is")
        fps = float(self._env.metadata.get("render_fps") or 30)
        names = tuple(str(action.start + index) for index in range(action.n))
        return EnvSpec(observation.shape, np.dtype(observation.dtype), names, fps)
