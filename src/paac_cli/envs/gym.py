"""Any Gymnasium environment with numeric observations and actions."""

import contextlib
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from paac_cli.config.env import EnvConfig
from paac_cli.envs.action_mask import MASK_KEY, MaskWriter
from paac_cli.envs.carried_state import is_known_to_carry_state
from paac_cli.envs.env import Action, FrameHook, Outcome
from paac_cli.envs.images import describe_images
from paac_cli.envs.preprocess import open_checked, with_images_converted
from paac_cli.envs.rendering import IMAGE, frames_per_second, require_frame_rate, to_rgb
from paac_cli.envs.spaces import ActionTranslator, ObservationTranslator
from paac_cli.errors import EnvironmentSpecError, VideoError
from paac_cli.seeding import integer_seed
from paac_cli.spec import EnvSpec
from paac_cli.text import describe_error

# pygame, which renders the classic-control environments, must not look for a display.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

_DEFAULT_FPS = 30.0


class GymEnv:
    """One Gymnasium environment, or a new one for each game (`fresh_per_episode`). Rewards are not clipped."""

    def __init__(self, config: EnvConfig, on_frame: FrameHook | None = None) -> None:
        """Raises EnvironmentSpecError."""
        self._config, self._on_frame = config, on_frame
        checked = open_checked(config, self._render_mode)
        self._env = with_images_converted(checked, config)
        self._has_played = False
        self._frame_shape: tuple[int, ...] | None = None
        self.is_fresh_per_episode = (
            is_known_to_carry_state(self._env) if config.fresh_per_episode == "auto" else config.fresh_per_episode
        )
        self._spaces = {"observation": self._env.observation_space, "action": self._env.action_space}
        self._actions = ActionTranslator(self._env.action_space, config.id)
        self._observations = ObservationTranslator(self._env.observation_space, config.frame_stack, config.id)
        spec = EnvSpec(
            obs_shape=self._observations.shape,
            obs_dtype=self._observations.dtype,
            action=self._actions.spec,
            fps=frames_per_second(self._env.metadata) or _DEFAULT_FPS,
            frame_stack=config.frame_stack,
            parts=self._observations.parts,
            images=describe_images(checked.observation_space, config.channels),
        )
        self._mask = MaskWriter(spec, config.id) if config.action_mask else None
        self.spec = spec if self._mask is None else self._mask.spec
        self.score, self.length = 0.0, 0
        self._info: Any = {}

    def new_game(self, seed: np.random.SeedSequence, out: NDArray) -> None:
        if self.is_fresh_per_episode and self._has_played:
            self._reopen()
        self._has_played = True
        obs, self._info = self._env.reset(seed=integer_seed(seed))
        self.score, self.length = 0.0, 0
        self._write(obs, out)
        self._render()

    def step(self, action: Action, out: NDArray) -> Outcome:
        obs, reward, terminated, truncated, self._info = self._env.step(self._actions.translate(action))
        self.score += float(reward)
        self.length += 1
        self._write(obs, out, has_terminated=terminated)
        self._render()
        return Outcome(
            reward=float(reward),
            terminated=terminated,
            truncated=truncated and not terminated,
            game_over=terminated or truncated,
        )

    def info_numbers(self, keys: Sequence[str]) -> list[float]:
        info = self._info if isinstance(self._info, Mapping) else {}
        return [_as_number(info.get(key)) for key in keys]

    @property
    def ignores_mask(self) -> bool:
        """Whether the environment reports an action mask although `env.action_mask` is false."""
        return self._mask is None and isinstance(self._info, Mapping) and MASK_KEY in self._info

    def prepare(self) -> bool:
        return False

    def close(self) -> None:
        self._env.close()

    def require_frame_rate(self) -> None:
        """Raise VideoError if the environment gives a frame rate that no video can have."""
        require_frame_rate(self._env.metadata, self._config.id)

    @property
    def _render_mode(self) -> str | None:
        return None if self._on_frame is None else "rgb_array"

    def _reopen(self) -> None:
        """Replace the environment by a new one. Raises EnvironmentSpecError, also if its spaces differ."""
        with contextlib.suppress(Exception):  # third-party code may raise anything, and this game is over
            self._env.close()
        self._env = with_images_converted(open_checked(self._config, self._render_mode), self._config)
        for name, space in self._spaces.items():
            new = getattr(self._env, f"{name}_space")
            if new != space:
                raise EnvironmentSpecError(
                    f"{self._config.id}: the {name} space of a new environment is {new}; that of the first was {space}"
                )

    def _write(self, obs: Any, out: NDArray, *, has_terminated: bool = False) -> None:
        """Write `obs` and the action mask to `out`. After a termination there is no mask."""
        if self._mask is None:
            self._observations.write(obs, out)
            return
        self._observations.write(obs, self._mask.split(out))
        if not has_terminated:
            self._mask.write(self._info, out, self.length)

    def _render(self) -> None:
        if self._on_frame is None:
            return
        try:
            rendered: Any = self._env.render()
        except Exception as error:  # third-party code may raise anything
            raise _failed_rendering(error, self._env, self._config.id) from error
        frame = to_rgb(rendered, self._config.id)
        self._frame_shape = self._frame_shape or frame.shape
        if frame.shape != self._frame_shape:
            raise VideoError(
                f"{self._config.id}: render() returned an image {list(frame.shape)} after one of "
                f"{list(self._frame_shape)}; all frames of a video must have the same size"
            )
        self._on_frame(frame)


def _failed_rendering(error: Exception, env: gymnasium.Env[Any, Any], env_id: str) -> VideoError:
    """What to raise after `render` of `env` has raised `error`."""
    if isinstance(error, NotImplementedError) and type(env.unwrapped).render is gymnasium.Env.render:
        return VideoError(f"{env_id} has no render(); to record or watch it, define render() that returns {IMAGE}")
    return VideoError(f"{env_id}: render() raised {describe_error(error)}")


def _as_number(value: Any) -> float:
    """`value` if it is one finite number or truth value, also as an array of one element; otherwise NaN."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if not isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating):
        return math.nan
    try:
        number = float(value)
    except OverflowError:  # an int beyond float64
        return math.nan
    return number if math.isfinite(number) else math.nan
