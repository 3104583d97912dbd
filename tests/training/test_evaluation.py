"""Evaluated games, and the data from which they are replayed for a video."""

import os
import signal

import numpy as np

from paac_cli.learning.predictor import Prediction
from paac_cli.training.evaluation import evaluation_pool, play
from toy_envs import Counting, UnseededObservation, config_of, spec_of


class CyclicAgent:
    """Plays 0, 1, 2, 3, 0, ... in every row; its value is the index of the step."""

    def __init__(self, on_step=lambda step: None):
        self._on_step = on_step

    def predict(self, obs, *, seed, step, greedy):
        self._on_step(step)
        rows = len(obs)
        return Prediction(np.full(rows, step % 4), np.full(rows, step, np.float32), np.zeros((rows, 0), np.float32))


def open_toys(env_class):
    config = config_of(env_class, length=5)
    return evaluation_pool(config, spec_of(env_class), episodes=2, seed=1, log=lambda event: None)


def test_a_game_holds_its_own_actions_and_values():
    with open_toys(Counting) as pool:
        games = play(CyclicAgent(), pool, episodes=4, seed=1, greedy=False)
    assert [(game.env, game.episode, game.length) for game in games] == [(0, 0, 5), (1, 0, 5), (0, 1, 5), (1, 1, 5)]
    for game in games:
        begin = 5 * game.episode
        assert game.values.tolist() == list(range(begin, begin + 5))
        assert game.actions.tolist() == [step % 4 for step in range(begin, begin + 5)]
        assert game.probabilities.shape == (5, 0)
        assert game.score == sum(100 * action + step for step, action in enumerate(game.actions.tolist(), 1))


def test_a_game_that_diverged_on_replay_is_not_part_of_the_next():
    """Its worker is killed, and the game gives other observations on replay."""
    with open_toys(UnseededObservation) as pool:

        def kill(step):
            if step == 3:
                os.kill(pool.pids[0], signal.SIGKILL)

        games = play(CyclicAgent(kill), pool, episodes=2, seed=1, greedy=False)
    after_divergence = [game for game in games if game.episode == 1]
    assert after_divergence
    assert [(game.length, len(game.actions), len(game.values)) for game in games] == [(5, 5, 5)] * 2
    assert [game.values.tolist() for game in after_divergence] == [[4, 5, 6, 7, 8]] * len(after_divergence)
