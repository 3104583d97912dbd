"""The environment of a config as a Gymnasium environment, for programs other than paac."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paac_cli.config.env import FRAME_SKIP, EnvConfig
from paac_cli.envs.atari import AtariEnv
from paac_cli.envs.placeholders import fill_placeholders
from paac_cli.envs.preprocess import open_checked, with_images_converted
from paac_cli.envs.rules import FRAMES_PER_SECOND
from paac_cli.errors import EnvironmentSpecError


def as_gymnasium(config: EnvConfig, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """The environment `config.id` with everything that `config` adds to it, e.g. a frame stack.

    It is one environment for all games, also with `fresh_per_episode`; placeholders in its arguments have the values of
    environment 0. render_mode: None or "rgb_array". Raises EnvironmentSpecError.
    """
    if config.is_atari:
        return AtariGames(config, render_mode)
    config = fill_placeholders(config)
    return with_images_converted(open_checked(config, render_mode), config)


class AtariGames(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """Whole games of Atari under a rule set, with raw rewards. A lost life does not end a game.

    Observations are those of `AtariEnv`: [84, 84, K] uint8, the newest frame last. `info["episode_ended"]` says whether
    an episode of the training would have ended with the step, as under rule set `baselines` with each lost life.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": FRAMES_PER_SECOND / FRAME_SKIP}  # noqa: RUF012

    def __init__(self, config: EnvConfig, render_mode: str | None = None) -> None:
        """Raises EnvironmentSpecError."""
        if render_mode not in (None, "rgb_array"):
            raise EnvironmentSpecError(f"{config.id}: render_mode is {render_mode!r}; expected 'rgb_array' or None")
        self.render_mode = render_mode
        self._env = AtariEnv(config)
        spec = self._env.spec
        self._obs = np.zeros(spec.obs_shape, np.uint8)
        self.observation_space = spaces.Box(0, 255, spec.obs_shape, np.uint8)
        self.action_space = spaces.Discrete(spec.action.choices[0])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        super().reset(seed=seed)
        self._env.new_game(np.random.SeedSequence(int(self.np_random.integers(2**63))), self._obs)
        return self._obs.copy(), {}

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        score_before = self._env.score
        outcome = self._env.step(action, self._obs)
        reward, is_over = self._env.score - score_before, self._env.is_over()
        info = {"episode_ended": outcome.terminated or outcome.truncated}
        return self._obs.copy(), reward, is_over, outcome.game_over and not is_over, info

    def render(self) -> NDArray[np.uint8] | None:
        """The last of the frames of the latest step, [height, width, 3] RGB; None without `render_mode`."""
        return self._env.render() if self.render_mode else None
