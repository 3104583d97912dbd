"""Evaluated games, and the data from which they are replayed for a video."""

import os
import signal

import numpy as np
import pytest

from paac_cli.config.schema import SamplingConfig
from paac_cli.errors import WorkerError
from paac_cli.learning.predictor import Prediction
from paac_cli.sampling.games import Games
from paac_cli.training.evaluation import BATCH, PlayStatus, evaluation_pool, play
from rude_envs import SPEC, rude
from toy_envs import Counting, UnseededObservation, config_of, spec_of


class CyclicAgent:
    """Plays 0, 1, 2, 3, 0, ... in every row; its value is the index of the step."""

    def __init__(self, on_step=lambda step: None):
        self._on_step = on_step

    def predict(self, obs, *, seed, step, greedy, state=None):
        self._on_step(step)
        rows = len(obs)
        nothing = np.zeros((rows, 0), np.float32)
        return Prediction(np.full(rows, step % 4), np.full(rows, step, np.float32), nothing, nothing)


class CountingAgent:
    """Its state is the number of steps since the start of the episode, and so is its value."""

    def predict(self, obs, *, seed, step, greedy, state=None):
        state = (np.zeros((len(obs), 1), np.float32) if state is None else state) + 1.0
        return Prediction(np.zeros(len(obs), np.int32), state[:, 0], state[:, :0], state)


def open_games(config, spec, episodes, *, sampling=None, num_envs=BATCH, max_steps=None):
    """An `evaluation_pool`."""
    games, sampling = Games(config, 1, max_steps=max_steps), sampling or SamplingConfig()
    return evaluation_pool(games, spec, sampling, episodes=episodes, num_envs=num_envs, log=lambda event: None)


def open_toys(env_class, episodes, **options):
    return open_games(config_of(env_class, length=5), spec_of(env_class), episodes, **options)


def test_a_game_holds_its_own_actions_and_values():
    with open_toys(Counting, 20, num_envs=2) as pool:
        games = play(CyclicAgent(), pool, episodes=20, seed=1, greedy=False)
    assert [(game.env, game.episode, game.length) for game in games] == [
        (index % BATCH, index // BATCH, 5) for index in range(20)
    ]
    for game in games:
        begin = 5 * game.episode
        assert game.values.tolist() == list(range(begin, begin + 5))
        assert game.actions.tolist() == [step % 4 for step in range(begin, begin + 5)]
        assert game.probabilities.shape == (5, 0)
        assert game.score == sum(100 * action + step for step, action in enumerate(game.actions.tolist(), 1))


@pytest.mark.parametrize("ends", ["terminated", "truncated"])
@pytest.mark.parametrize("num_envs", [4, 1])
def test_the_state_of_a_policy_is_carried_through_a_game_and_begins_anew_with_the_next(num_envs, ends):
    """Also if the rows are played one after another."""
    config = config_of(Counting, length=5, ends=ends)
    with open_games(config, spec_of(Counting), 20, num_envs=num_envs) as pool:
        games = play(CountingAgent(), pool, episodes=20, seed=1, greedy=False)
    assert [game.values.tolist() for game in games] == [[1, 2, 3, 4, 5]] * 20


def test_a_game_that_diverged_on_replay_is_not_part_of_the_next():
    """Its worker is killed, and the game gives other observations on replay."""
    with open_toys(UnseededObservation, 2) as pool:

        def kill(step):
            if step == 3:
                os.kill(pool.pids[0], signal.SIGKILL)

        games = play(CyclicAgent(kill), pool, episodes=2, seed=1, greedy=False)
    after_divergence = [game for game in games if game.episode == 1]
    assert after_divergence
    assert [(game.length, len(game.actions), len(game.values)) for game in games] == [(5, 5, 5)] * 2
    assert [game.values.tolist() for game in after_divergence] == [[4, 5, 6, 7, 8]] * len(after_divergence)


class NoisyAgent:
    """Its actions depend on the observation, the row, the step and the seed, as those of a policy do."""

    def predict(self, obs, *, seed, step, greedy, state=None):
        rows = np.arange(len(obs))
        action = (obs.sum(axis=1) + 7 * rows + 3 * step + seed) % 4
        nothing = np.zeros((len(obs), 0), np.float32)
        return Prediction(action, rows.astype(np.float32), nothing, nothing)


def noisy_games(num_envs, episodes):
    """What games of `Counting` with 5 steps are, on a pool with `num_envs` environments."""
    statuses = []
    with open_toys(Counting, episodes, num_envs=num_envs) as pool:
        assert pool.num_envs == min(num_envs, episodes)
        games = play(NoisyAgent(), pool, episodes=episodes, seed=1, greedy=False, on_step=statuses.append)
    return [(game.env, game.episode, game.score, game.length, game.actions.tolist()) for game in games], statuses


@pytest.mark.parametrize("episodes", [3, 20])
def test_games_are_the_same_on_any_number_of_environments(episodes):
    expected, _ = noisy_games(BATCH, episodes)
    assert [game[:2] for game in expected] == [(index % BATCH, index // BATCH) for index in range(episodes)]
    assert len({str(game[4]) for game in expected}) > 2
    for num_envs in (1, 2, 5):
        assert noisy_games(num_envs, episodes)[0] == expected


def test_no_more_environments_are_made_than_asked_for(tmp_path):
    config = rude(made=["touch", str(tmp_path / "{env_index}")])
    with open_games(config, SPEC, 7, num_envs=2, max_steps=3) as pool:
        games = play(NoisyAgent(), pool, episodes=7, seed=1, greedy=False)
    assert [(game.env, game.length, game.is_truncated) for game in games] == [(row, 3, True) for row in range(7)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_games_are_truncated_at_the_limit_and_say_so():
    for limit, length, is_truncated in ((3, 3, True), (5, 5, False), (6, 5, False)):
        with open_toys(Counting, 20, num_envs=4, max_steps=limit) as pool:
            games = play(CyclicAgent(), pool, episodes=20, seed=1, greedy=False)
        assert [(game.length, len(game.actions), game.is_truncated) for game in games] == [
            (length, length, is_truncated)
        ] * 20
        first = games[0]
        assert first.score == sum(100 * action + step for step, action in enumerate(first.actions.tolist(), 1))


def test_progress_is_counted_in_steps_and_games():
    _, statuses = noisy_games(2, 3)
    assert statuses[0] == PlayStatus(steps=2, games=0, longest=1)
    assert statuses[4] == PlayStatus(steps=10, games=2, longest=0)
    assert statuses[-1] == PlayStatus(steps=15, games=3, longest=0)


def test_the_timeouts_of_the_run_apply():
    sampling = SamplingConfig(num_envs=64, num_workers=3, worker_timeout=1, max_restarts=0)
    config = rude(step=["hang"])
    with open_games(config, SPEC, 1, sampling=sampling) as pool:
        pool.reset()
        with pytest.raises(WorkerError, match="hung for 1 s in step 1"):
            pool.step(np.zeros(1, int))
