"""Any Gymnasium environment with numeric observations and actions."""

import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium import wrappers
from numpy.typing import NDArray

from paac_cli.config.load import nearest
from paac_cli.config.schema import EnvConfig
from paac_cli.envs.checks import CheckedEnv
from paac_cli.envs.env import Action, FrameHook, Outcome
from paac_cli.envs.spaces import ActionTranslator, ObservationTranslator
from paac_cli.errors import EnvironmentSpecError
from paac_cli.seeding import integer_seed
from paac_cli.spec import EnvSpec

# pygame, which renders the classic-control environments, must not look for a display.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def _make_gymnasium(config: EnvConfig, render_mode: str | None) -> gymnasium.Env[Any, Any]:
    if ":" not in config.id and config.id not in gymnasium.registry:
        hint = nearest(config.id, gymnasium.registry) or "; a third-party environment is written module:Name-v0"
        raise EnvironmentSpecError(f"unknown environment {config.id!r}{hint}")
    kwargs: dict[str, Any] = dict(config.kwargs)
    if render_mode is not None:  # some environments do not take this argument
        kwargs["render_mode"] = render_mode
    try:
        return _preprocess_images(CheckedEnv(gymnasium.make(config.id, **kwargs)), config)
    except Exception as error:  # third-party constructors may raise anything
        raise EnvironmentSpecError(f"{config.id} cannot be made: {error}") from error


def _preprocess_images(env: gymnasium.Env[Any, Any], config: EnvConfig) -> gymnasium.Env[Any, Any]:
    """Apply grayscale, resize and frame_stack of `config`. Raises ValueError if observations are not images."""
    shape = env.observation_space.shape or ()
    if not (config.grayscale or config.resize or config.frame_stack > 1):
        return env
    if len(shape) not in (2, 3) or env.observation_space.dtype != np.uint8:
        raise ValueError(f"grayscale, resize and frame_stack need image observations, not {env.observation_space}")
    if config.grayscale and len(shape) == 3:
        env = wrappers.GrayscaleObservation(env, keep_dim=True)  # convolutions need an axis of channels
    if config.resize:
        env = wrappers.ResizeObservation(env, config.resize)
    return wrappers.FrameStackObservation(env, config.frame_stack) if config.frame_stack > 1 else env


class GymEnv:
    """One Gymnasium environment. Rewards are not clipped."""

    def __init__(self, config: EnvConfig, on_frame: FrameHook | None = None) -> None:
        """Raises EnvironmentSpecError."""
        self._env = _make_gymnasium(config, None if on_frame is None else "rgb_array")
        self._on_frame = on_frame
        self._actions = ActionTranslator(self._env.action_space, config.id)
        self._observations = ObservationTranslator(self._env.observation_space, config.frame_stack, config.id)
        self.spec = EnvSpec(
            obs_shape=self._observations.shape,
            obs_dtype=self._observations.dtype,
            action=self._actions.spec,
            fps=float(self._env.metadata.get("render_fps") or 30),
            frame_stack=config.frame_stack,
            parts=self._observations.parts,
        )
        self.score, self.length = 0.0, 0

    def new_game(self, seed: np.random.SeedSequence, out: NDArray) -> None:
        obs, _ = self._env.reset(seed=integer_seed(seed))
        self._observations.write(obs, out)
        self.score, self.length = 0.0, 0
        self._render()

    def step(self, action: Action, out: NDArray) -> Outcome:
        obs, reward, terminated, truncated, _ = self._env.step(self._actions.translate(action))
        self._observations.write(obs, out)
        self.score += float(reward)
        self.length += 1
        self._render()
        return Outcome(
            reward=float(reward),
            terminated=terminated,
            truncated=truncated and not terminated,
            game_over=terminated or truncated,
        )

    def prepare(self) -> bool:
        return False

    def close(self) -> None:
        self._env.close()

    def _render(self) -> None:
        if self._on_frame is not None:
            frame = self._env.render()
            assert isinstance(frame, np.ndarray)
            self._on_frame(frame)
