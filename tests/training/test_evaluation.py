"""Games that are scored, and all that a film needs to play them again."""

import os
import signal

import numpy as np

from paac_cli.algorithms.agent import Prediction
from paac_cli.training.evaluation import open_pool, play
from toy_envs import Counting, UnseededObservation, config_of, spec_of


class Clockwork:
    """Plays 0, 1, 2, 3, 0, ... in every row; its value is the number of the step."""

    def __init__(self, on_step=lambda step: None):
        self._on_step = on_step

    def predict(self, obs, *, seed, step, greedy):
        self._on_step(step)
        rows = len(obs)
        return Prediction(np.full(rows, step % 4), np.full(rows, step, np.float32), np.zeros((rows, 0), np.float32))


def open_toys(env_class):
    return open_pool(config_of(env_class, length=5), spec_of(env_class), episodes=2, seed=1, tell=lambda text: None)


def test_games_hold_their_own_moves():
    with open_toys(Counting) as pool:
        games = play(Clockwork(), pool, episodes=4, seed=1, greedy=False)
    assert [(game.env, game.episode, game.length) for game in games] == [(0, 0, 5), (1, 0, 5), (0, 1, 5), (1, 1, 5)]
    for game in games:
        begin = 5 * game.episode
        assert game.values.tolist() == list(range(begin, begin + 5))
        assert game.actions.tolist() == [step % 4 for step in range(begin, begin + 5)]
        assert game.probabilities.shape == (5, 0)
        assert game.score == sum(100 * action + step for step, action in enumerate(game.actions.tolist(), 1))


def test_a_game_that_was_cut_off_is_no_part_of_the_next():
    """Its worker is lost, and it does not replay."""
    with open_toys(UnseededObservation) as pool:

        def kill(step):
            if step == 3:
                os.kill(pool.pids[0], signal.SIGKILL)

        games = play(Clockwork(kill), pool, episodes=2, seed=1, greedy=False)
    cut_off = [game for game in games if game.episode == 1]
    assert cut_off
    assert [(game.length, len(game.actions), len(game.values)) for game in games] == [(5, 5, 5)] * 2
    assert [game.values.tolist() for game in cut_off] == [[4, 5, 6, 7, 8]] * len(cut_off)
