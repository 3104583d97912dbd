"""Atari 2600 games, played directly on the emulator (ale-py) under a named rule set."""

import math
from collections.abc import Sequence

import numpy as np
from ale_py import Action as Button
from numpy.typing import NDArray

from paac_cli.config.env import FRAME_SKIP, FRAME_STACK, EnvConfig
from paac_cli.envs.atari_games import load_game
from paac_cli.envs.emulators import emulators
from paac_cli.envs.env import Action, FrameHook, Outcome
from paac_cli.envs.rules import MAX_STEPS
from paac_cli.envs.screen import Screen

_NOOP = 0


class AtariEnv:
    """One Atari game under the rule set `config.protocol`. Observations are [84, 84, K] uint8, the newest frame last.

    K is `config.frame_stack`.

    Every game starts from the same emulator state. No-ops and sticky actions, drawn from the game's seed, are the only
    randomness.
    """

    def __init__(self, config: EnvConfig, on_frame: FrameHook | None = None) -> None:
        self._ale, self._rules, self._buttons, self.spec = load_game(config)
        self._ale.reset_game()
        self._emulators = emulators(config.id, config.mode, config.difficulty)
        self._screen = Screen(self._ale.getScreenDims(), self._rules.resize, config.frame_stack)
        self._screen.take(self._ale, 1)  # stores the grey values of the start screen, which `put` needs
        self._fires = self._rules.fire_on_reset and len(self._buttons) >= 3 and self._buttons[1] == Button.FIRE
        self._on_frame = on_frame
        self._rng = np.random.default_rng(0)
        self._held = self._buttons[_NOOP]  # the action that a sticky action repeats
        self._lives = 0
        self.score, self.length = 0.0, 0

    def new_game(self, seed: np.random.SeedSequence, out: NDArray) -> None:
        self._rng = np.random.default_rng(seed)
        self._restore_start()
        noops = self._rng.integers(*self._rules.noops, endpoint=True)
        for _ in range(noops):
            self.score += self._act(self._buttons[_NOOP])
        if noops:  # otherwise the emulator still shows the previous game, and the start screen stays
            self._screen.take(self._ale, 1)
        self._begin_episode(out)

    def step(self, action: Action, out: NDArray) -> Outcome:
        reward = self._play(int(action))
        self.score += reward
        self.length += 1
        life_lost = 0 < self._ale.lives() < self._lives  # some games continue for a while with 0 lives
        self._lives = self._ale.lives()
        out_of_time = self.length >= MAX_STEPS
        terminated = self.is_over() or (life_lost and self._rules.life_loss_terminates)
        if terminated and not self.is_over() and not out_of_time:
            self._begin_next_life(out)
        else:
            self._screen.push()
            out[...] = self._screen.stack
        return Outcome(
            reward=float(np.sign(reward)) if self._rules.clip_rewards else reward,
            terminated=terminated,
            truncated=out_of_time and not terminated,
            game_over=self.is_over() or out_of_time,
        )

    def is_over(self) -> bool:
        """Whether the emulator's game has ended. At `MAX_STEPS` it may go on, also if a life was just lost."""
        return bool(self._ale.game_over(with_truncation=False))

    def render(self) -> NDArray[np.uint8]:
        """The screen as it is now, [height, width, 3] RGB."""
        return self._ale.getScreenRGB()

    def info_numbers(self, keys: Sequence[str]) -> list[float]:
        return [math.nan] * len(keys)

    def prepare(self) -> bool:
        return self._emulators.prepare()

    def close(self) -> None:
        pass

    def _restore_start(self) -> None:
        self._ale = self._emulators.swap(self._ale)
        self._screen.put(0, 0)
        self._screen.put(1, self._emulators.start_colours)
        self._held = self._buttons[_NOOP]
        self.score, self.length = 0.0, 0

    def _begin_next_life(self, out: NDArray) -> None:
        """Start the next life, as EpisodicLifeEnv of OpenAI baselines does: one step of NOOP, then FIRE."""
        self.score += self._play(_NOOP)
        if not self.is_over():
            self._begin_episode(out)

    def _begin_episode(self, out: NDArray) -> None:
        """Play FIRE if the rule set says so, then fill the frame stack. Returns early if that ends the game."""
        if self._fires:
            for action in (1, 2):
                self.score += self._play(action)
                if self.is_over():
                    return
        if self._rules.warm_start:
            for _ in range(FRAME_STACK):
                self.score += self._play(_NOOP)
                self._screen.push()
        else:
            self._screen.push()
            self._screen.fill()
        self._lives = self._ale.lives()
        out[...] = self._screen.stack

    def _play(self, action: int) -> float:
        """Play `action` for 4 emulator frames and take the last two; returns the raw reward."""
        reward = 0.0
        button = self._buttons[action]
        for frame in range(FRAME_SKIP):
            reward += self._act(button)
            if self.is_over():
                break
            if frame >= FRAME_SKIP - 2:
                self._screen.take(self._ale, frame - (FRAME_SKIP - 2))
        return reward

    def _act(self, button: Button) -> float:
        """Play `button`, or the sticky action, for one emulator frame; returns the raw reward."""
        if self._rules.sticky == 0.0 or self._rng.random() >= self._rules.sticky:
            self._held = button
        reward = self._ale.act(self._held)
        if self._on_frame is not None:
            self._on_frame(self._ale.getScreenRGB())
        return float(reward)
