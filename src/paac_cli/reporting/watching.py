"""Plays games with a trained policy in a window, in real time."""

import itertools
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Agent
from paac_cli.learning.predictor import Prediction
from paac_cli.reporting.panel import GameMoment
from paac_cli.reporting.stages import GameStyle, PanelStage
from paac_cli.reporting.window import Key, Window
from paac_cli.sampling.live_game import LiveGame, LiveStep
from paac_cli.seeding import episode_seed
from paac_cli.training.evaluation import BATCH

_SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_SHORTEST = 1 / 60  # seconds between two images in the window; at high speed, not all are shown
_POLL = 0.02  # seconds between looks at the keyboard
_AFTER_GAME = 1.5  # seconds until the next game begins
_HELP = "space pause    + - speed    g greedy    q quit"


class _Quit(Exception):  # noqa: N818 (not an error)
    """The user has asked to end."""


def watch(
    agent: Agent, game: LiveGame, window: Window, style: GameStyle, *, seed: int, greedy: bool, frame_seconds: float
) -> list[float]:
    """Play one game after the other until the user quits; returns the scores of those that have ended.

    Game `i` is that of an evaluation with this seed, as long as the user does not change `greedy`. From game `BATCH` on
    they are those of the next seed. frame_seconds: from one frame to the next, in real time.
    """
    screening, scores = _Screening(window, style, frame_seconds, greedy=greedy), list[float]()
    try:
        for number in itertools.count():
            screening.begin(number)
            scores.append(_play(agent, game, screening, (seed + number // BATCH) % 2**63, number % BATCH))
            screening.rest(_AFTER_GAME)
    except _Quit:
        return scores
    raise AssertionError("an endless loop has ended")


def _play(agent: Agent, game: LiveGame, screening: "_Screening", seed: int, row: int) -> float:
    """Play the game of row `row` in an evaluation with `seed`; returns its score. Raises _Quit."""
    step = game.reset(episode_seed(seed, row, 0))
    obs = np.zeros((BATCH, *step.obs.shape), step.obs.dtype)
    state = None  # of the recurrent cell
    for clock in itertools.count():
        obs[row] = step.obs
        prediction = agent.predict(obs, seed=seed, step=clock, greedy=screening.greedy, state=state)
        if clock == 0:
            screening.show(step, prediction, row)  # the reset, with the first prediction
        before, step = step, game.step(prediction.action[row])
        score = step.score if step.game_over else before.score
        screening.show(before._replace(frames=step.frames, score=score), prediction, row, is_new=clock > 0)
        state = prediction.state
        if step.episode_ended:
            state[row] = 0.0
        if step.game_over:
            break
    return step.score


@dataclass
class _Log:
    """The game so far: a `GameLog`."""

    values: list[float] = field(default_factory=list)
    actions: list[NDArray] = field(default_factory=list)
    probabilities: list[NDArray] = field(default_factory=list)


class _Screening:
    """Shows games in the window at the chosen speed, and does what keys ask for."""

    def __init__(self, window: Window, style: GameStyle, frame_seconds: float, *, greedy: bool) -> None:
        self._window, self._style, self._frame_seconds, self.greedy = window, style, frame_seconds, greedy
        self._speed, self._is_paused = 1.0, False
        self._stage: PanelStage | None = None
        self._log, self._number = _Log(), 0
        self._due = self._shown_at = time.monotonic()

    def begin(self, number: int) -> None:
        """Another game begins. number: its index."""
        self._log, self._number = _Log(), number
        if self._stage is not None:
            self._stage.begin(self._log, "")
        self._due = time.monotonic()

    def show(self, step: LiveStep, prediction: Prediction, row: int, *, is_new: bool = True) -> None:
        """Show the frames of `step`, one after the other. is_new: whether the prediction is. Raises _Quit."""
        if is_new:
            self._log.values.append(float(prediction.value[row]))
            self._log.actions.append(prediction.action[row])
            self._log.probabilities.append(prediction.probability[row])
        for index, frame in enumerate(step.frames):
            if self._stage is None:
                self._stage = PanelStage(self._style, frame.shape)
                self._stage.begin(self._log, "")
            if index == 0:
                self._stage.describe(GameMoment(len(self._log.values) - 1, step.score, step.obs))
            self._stage.show(frame)
            self._refresh()
            self.rest(self._frame_seconds / self._speed)

    def rest(self, seconds: float) -> None:
        """Wait until `seconds` after the end of the previous rest, longer while paused. Raises _Quit."""
        self._due = max(self._due + seconds, time.monotonic() - seconds)  # what is late is not made up for
        while True:
            self._obey()
            left = self._due - time.monotonic()
            if self._is_paused:
                time.sleep(_POLL)
                self._due = time.monotonic()
            elif left <= 0:
                return
            else:
                time.sleep(min(left, _POLL))

    def _obey(self) -> None:
        """Do what keys ask for. Raises _Quit."""
        keys = self._window.keys()
        for key in keys:
            match key:
                case Key.QUIT:
                    raise _Quit
                case Key.PAUSE:
                    self._is_paused = not self._is_paused
                case Key.GREEDY:
                    self.greedy = not self.greedy
                case Key.FASTER:
                    self._speed = min([each for each in _SPEEDS if each > self._speed], default=self._speed)
                case Key.SLOWER:
                    self._speed = max([each for each in _SPEEDS if each < self._speed], default=self._speed)
        if keys:
            self._refresh(always=True)

    def _refresh(self, *, always: bool = False) -> None:
        """Show the stage in the window, at high speed only as often as the eye can follow."""
        now = time.monotonic()
        if self._stage is not None and (always or self._speed <= 1 or now - self._shown_at >= _SHORTEST):
            state = "paused" if self._is_paused else f"{self._speed:g}x"
            actions = "greedy" if self.greedy else "sampled"
            self._stage.write_below(f"game {self._number + 1}, {state}, {actions}", _HELP)
            self._window.show(self._stage.canvas)
            self._shown_at = now
