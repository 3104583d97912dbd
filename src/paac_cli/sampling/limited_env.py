"""An environment whose games are truncated after a number of steps: some never end by themselves."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paac_cli.envs.env import Action, Env, Outcome


class LimitedEnv:
    """`env`, whose games are over after `max_steps` agent steps."""

    def __init__(self, env: Env, max_steps: int) -> None:
        self._env, self._max_steps, self.spec = env, max_steps, env.spec
        self.score, self.length = env.score, env.length

    def new_game(self, seed: np.random.SeedSequence, out: NDArray) -> None:
        self._env.new_game(seed, out)
        self.score, self.length = self._env.score, self._env.length

    def step(self, action: Action, out: NDArray) -> Outcome:
        outcome = self._env.step(action, out)
        self.score, self.length = self._env.score, self._env.length
        if outcome.game_over or self.length < self._max_steps:
            return outcome
        return outcome._replace(truncated=not outcome.terminated, game_over=True)

    def info_numbers(self, keys: Sequence[str]) -> list[float]:
        return self._env.info_numbers(keys)

    def prepare(self) -> bool:
        return self._env.prepare()

    def close(self) -> None:
        self._env.close()
