"""The action log: its content, its way through arrays and back, and its mark."""

import numpy as np
import pytest

from paac_cli.sampling.history import ActionLog
from paac_cli.spec import ActionSpec, discrete_action

ACTION = discrete_action(("a", "b", "c"))
INACTIVE = -1  # in place of the action of an environment that does not play


def log_of(steps):
    """A log of three environments after `steps`: pairs of (actions, environments whose games ended)."""
    log = ActionLog(3, ACTION)
    for actions, ended in steps:
        append(log, actions, ended)
    return log


def append(log, actions, ended=()):
    """Every reward is the action."""
    active = np.array(actions) != INACTIVE
    log.append(np.array(actions), active, np.where(active, actions, 0), np.isin(range(3), ended))


def content(log):
    assert all(log[n].reward_sum == log[n].actions.sum() for n in range(3))
    return [(log[n].episode, log[n].actions.tolist()) for n in range(3)]


def test_the_log_holds_the_actions_of_the_current_games_only():
    log = log_of([([1, 2, 3], []), ([4, 5, 6], [1]), ([7, 8, 9], [])])
    assert content(log) == [(0, [1, 4, 7]), (1, [8]), (0, [3, 6, 9])]


def test_an_inactive_environment_gets_no_entry():
    log = log_of([([1, INACTIVE, 3], []), ([INACTIVE, INACTIVE, 4], [2])])
    assert content(log) == [(0, [1]), (0, []), (1, [])]


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [([1, 2, 3], [])],
        [([1, 2, 3], [0, 1, 2])],
        [([1, 2, 3], [2]), ([4, INACTIVE, 6], []), ([7, 8, 9], [0])],
        [([1, 2, 3], [0]), ([4, 5, 6], [0, 1])],
    ],
)
def test_a_log_made_from_the_arrays_of_a_log_equals_it(steps):
    log = log_of(steps)
    arrays = log.to_arrays()
    assert {name: array.dtype for name, array in arrays.items()} == {
        "episode": np.int64,
        "length": np.int64,
        "reward_sum": np.float64,
        "actions": np.int32,
    }
    assert arrays["length"].sum() == len(arrays["actions"])
    again = ActionLog.from_arrays(arrays, ACTION)
    assert content(again) == content(log)
    assert all(np.array_equal(again.to_arrays()[name], array) for name, array in arrays.items())


def test_arrays_and_a_log_made_from_them_do_not_change_with_the_original():
    log = log_of([([1, 2, 3], [])])
    arrays = log.to_arrays()
    again = ActionLog.from_arrays(arrays, ACTION)
    append(log, [4, 5, 6], [0])
    append(again, [7, 8, 9])
    assert arrays["actions"].tolist() == [1, 2, 3]
    assert content(again) == [(0, [1, 7]), (0, [2, 8]), (0, [3, 9])]
    assert content(log) == [(1, []), (0, [2, 5]), (0, [3, 6])]


def test_the_log_as_it_was_at_the_mark_is_not_changed_by_later_steps():
    log = log_of([([1, 2, 3], [])])
    log.mark()
    for actions, ended in [([4, 5, 6], [0]), ([7, 8, 9], [0, 1])]:
        append(log, actions, ended)
        assert content(log.at_mark()) == [(0, [1]), (0, [2]), (0, [3])]
    assert content(log) == [(2, []), (1, []), (0, [3, 6, 9])]


@pytest.mark.parametrize("action", [ActionSpec((2,), ()), ActionSpec((2,), (4, 4))])
def test_actions_of_any_kind_are_stored(action):
    log = ActionLog(2, action)
    played = np.array([[[1, 2], [3, 0]], [[0, 1], [2, 2]], [[3, 3], [1, 1]]], action.dtype)
    for row in played:
        log.append(row, np.array([True, row[0, 0] != 0]), np.zeros(2), np.zeros(2, bool))
    log = ActionLog.from_arrays(log.to_arrays(), action)
    np.testing.assert_array_equal(log[0].actions, played[:, 0])
    np.testing.assert_array_equal(log[1].actions, played[[0, 2], 1])
    assert log[0].actions.dtype == action.dtype
