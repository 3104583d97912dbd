"""Counters, scores of the latest games, and when rows and checkpoints are due."""

import math

import numpy as np

from checkpoints import checkpoint_of
from paac_cli.config.schema import StopWhen
from paac_cli.timestep import EPISODE_DTYPE
from paac_cli.training.due import Due, MilestoneDue
from paac_cli.training.progress import Progress


def games(scores):
    return np.array([(0, 0, score, 10) for score in scores], EPISODE_DTYPE)


def test_steps_are_summed_over_environments():
    progress = Progress(None)
    for _ in range(3):
        progress.add(4, games([]))
    assert progress.steps == 12
    assert math.isnan(progress.mean_return)


def test_the_mean_is_over_the_last_hundred_games():
    progress = Progress(None)
    progress.add(4, games([1000.0] * 50))
    progress.add(4, games([1.0] * 60))
    assert progress.mean_return == (40 * 1000 + 60) / 100
    assert progress.episodes == 110


def test_there_is_no_score_before_a_hundred_games():
    progress = Progress(None)
    progress.add(4, games([5.0] * 99))
    assert progress.score is None
    progress.add(4, games([5.0]))
    assert progress.score == 5.0


def test_stop_when_counts_its_own_number_of_games():
    progress = Progress(StopWhen(mean_return=10, episodes=150))
    progress.add(4, games([0.0] * 50))
    progress.add(4, games([10.0] * 149))
    assert (progress.goal_reached, progress.is_finished(9), progress.is_finished(8)) == (False, False, True)
    progress.add(4, games([10.0]))
    assert (progress.goal_reached, progress.is_finished(10**6)) == (True, True)
    assert not Progress(StopWhen(mean_return=-1, episodes=1)).goal_reached


def test_progress_resumes_from_a_checkpoint():
    first = Progress(None)
    first.add(4, games([float(score) for score in range(130)]))
    checkpoint = checkpoint_of(0, progress=first.to_arrays())._replace(counters=first.counters)
    second = Progress(None, checkpoint)
    assert (second.mean_return, second.mean_length, second.counters) == (
        first.mean_return,
        first.mean_length,
        first.counters,
    )


def test_due_fires_once_per_multiple_even_when_steps_jump():
    due = Due(100, 0)
    assert [steps for steps in range(0, 1000, 64) if due(steps)] == [128, 256, 320, 448, 512, 640, 704, 832, 960]
    assert not Due(100, 250)(299)
    assert Due(100, 250)(300)
    assert not Due(None, 0)(10**9)


def test_milestones_are_due_once_each_at_or_after_their_percentage():
    due = MilestoneDue(1000, 0)
    assert [steps for steps in range(0, 1100, 16) if due(steps)] == [16, 32, 112, 304, 1008]
    assert not MilestoneDue(0, 0)(10**6)


def test_one_rollout_may_pass_several_milestones():
    due = MilestoneDue(100, 0)
    assert due(50)
    assert not due(99)
    assert due(100)


def test_a_resumed_run_has_the_milestones_that_are_ahead():
    due = MilestoneDue(1000, 100)  # the first three have been reached, the third exactly here
    assert [steps for steps in (100, 299, 300, 999, 1000) if due(steps)] == [300, 1000]
