"""The action log: what comes out of its arrays is what went in."""

import numpy as np
import pytest

from paac_cli.sampling.history import ActionLog
from paac_cli.spec import ActionSpec, discrete_action

ACTION = discrete_action(("a", "b", "c"))
REST = -1  # stands for an environment that does not play


def played(steps):
    """A log of three environments after `steps`: pairs of (actions, environments whose games ended)."""
    log = ActionLog(3, ACTION)
    for actions, ended in steps:
        append(log, actions, ended)
    return log


def append(log, actions, ended=()):
    active = np.array(actions) != REST
    log.append(range(3), np.array(actions), active, np.where(active, actions, 0), np.isin(range(3), ended))


def content(log):
    assert all(log[n].paid == log[n].actions.sum() for n in range(3))  # everybody is paid his action
    return [(log[n].episode, log[n].actions.tolist()) for n in range(3)]


def test_log_holds_the_actions_of_the_current_game_only():
    log = played([([1, 2, 3], []), ([4, 5, 6], [1]), ([7, 8, 9], [])])
    assert content(log) == [(0, [1, 4, 7]), (1, [8]), (0, [3, 6, 9])]


def test_an_environment_that_rests_has_no_entry():
    log = played([([1, REST, 3], []), ([REST, REST, 4], [2])])
    assert content(log) == [(0, [1]), (0, []), (1, [])]


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [([1, 2, 3], [])],
        [([1, 2, 3], [0, 1, 2])],
        [([1, 2, 3], [2]), ([4, REST, 6], []), ([7, 8, 9], [0])],
        [([1, 2, 3], [0]), ([4, 5, 6], [0, 1])],
    ],
)
def test_log_survives_the_way_through_arrays(steps):
    log = played(steps)
    arrays = log.to_arrays()
    assert {name: array.dtype for name, array in arrays.items()} == {
        "episode": np.int64,
        "length": np.int64,
        "paid": np.float64,
        "actions": np.int32,
    }
    assert arrays["length"].sum() == len(arrays["actions"])
    again = ActionLog.from_arrays(arrays, ACTION)
    assert content(again) == content(log)
    assert all(np.array_equal(again.to_arrays()[name], array) for name, array in arrays.items())


def test_arrays_and_restored_log_do_not_change_with_the_log_they_came_from():
    log = played([([1, 2, 3], [])])
    arrays = log.to_arrays()
    again = ActionLog.from_arrays(arrays, ACTION)
    append(log, [4, 5, 6], [0])
    append(again, [7, 8, 9])
    assert arrays["actions"].tolist() == [1, 2, 3]
    assert content(again) == [(0, [1, 7]), (0, [2, 8]), (0, [3, 9])]
    assert content(log) == [(1, []), (0, [2, 5]), (0, [3, 6])]


def test_what_was_paid_is_not_known_of_an_older_log():
    arrays = played([([1, 2, 3], [])]).to_arrays()
    del arrays["paid"]
    log = ActionLog.from_arrays(arrays, ACTION)
    append(log, [1, 1, 1], [2])
    append(log, [1, 1, 2])
    assert np.array_equal([log[n].paid for n in range(3)], [np.nan, np.nan, 2], equal_nan=True)


@pytest.mark.parametrize("action", [ActionSpec((2,), ()), ActionSpec((2,), (4, 4))])
def test_actions_of_any_kind_come_back(action):
    log = ActionLog(2, action)
    played = np.array([[[1, 2], [3, 0]], [[0, 1], [2, 2]], [[3, 3], [1, 1]]], action.dtype)
    for row in played:
        log.append(range(2), row, np.array([True, row[0, 0] != 0]), np.zeros(2), np.zeros(2, bool))
    log = ActionLog.from_arrays(log.to_arrays(), action)
    np.testing.assert_array_equal(log[0].actions, played[:, 0])
    np.testing.assert_array_equal(log[1].actions, played[[0, 2], 1])
    assert log[0].actions.dtype == action.dtype
