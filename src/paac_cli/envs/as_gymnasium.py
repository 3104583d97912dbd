"""The environment of a config as a Gymnasium environment, for programs other than paac."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.config.schema import EnvConfig
from paac_cli.envs.atari import AtariEnv
from paac_cli.envs.make import FIRST_COPY
from paac_cli.envs.placeholders import fill_placeholders
from paac_cli.envs.preprocess import open_checked, with_images_converted


def as_gymnasium(config: EnvConfig, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """The environment `config.id` with everything that `config` adds to it, e.g. a frame stack.

    render_mode: None or "rgb_array". Raises EnvironmentSpecError.
    """
    if config.is_atari:
        return AtariGames(config, render_mode)
    config = fill_placeholders(config, FIRST_COPY)
    return with_images_converted(open_checked(config, render_mode), config)


class AtariGames(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """Whole games of Atari under a rule set, with raw rewards. A lost life does not end a game.

    Observations are those of `AtariEnv`: [84, 84, K] uint8, the newest frame last.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 60}  # noqa: RUF012

    def __init__(self, config: EnvConfig, render_mode: str | None = None) -> None:
        """Raises EnvironmentSpecError."""
        self.render_mode = render_mode
        self._frame: NDArray[np.uint8] | None = None
        self._env = AtariEnv(config, self._keep if render_mode else None)
        shape, self._obs = self._env.spec.obs_shape, np.zeros(self._env.spec.obs_shape, np.uint8)
        self.observation_space = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Discrete(self._env.spec.action.choices[0])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        super().reset(seed=seed)
        self._env.new_game(np.random.SeedSequence(int(self.np_random.integers(2**63))), self._obs)
        return self._obs.copy(), {}

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        score = self._env.score
        outcome = self._env.step(action, self._obs)
        is_truncated = outcome.game_over and outcome.truncated
        is_over = outcome.game_over and not is_truncated
        return self._obs.copy(), self._env.score - score, is_over, is_truncated, {}

    def render(self) -> NDArray[np.uint8] | None:
        """The latest frame, [height, width, 3] uint8 RGB; None without `render_mode`."""
        return self._frame

    def _keep(self, frame: NDArray[np.uint8]) -> None:
        self._frame = frame.copy()
