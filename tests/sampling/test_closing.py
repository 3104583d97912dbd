"""At the end of a pool every environment is closed; what goes wrong there is logged once and ends nothing."""

import time

import numpy as np
import pytest

from paac_cli.config.schema import SamplingConfig
from paac_cli.envs.placeholders import Copy
from paac_cli.errors import WorkerError
from paac_cli.events import CloseFailed
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool
from pools import open_pool
from rude_envs import SPEC, rude


def events_of(tmp_path, *, num_workers=1, close_timeout=1, **when):
    """The events at the end of a pool of three environments, and which of them `close` was called for."""
    events = []
    config = rude(closed=str(tmp_path / "{env_index}"), **when)
    with open_pool(config, SPEC, num_workers=num_workers, close_timeout=close_timeout, log=events.append) as pool:
        pool.reset()
        assert not list(tmp_path.iterdir())
    return events, sorted(int(path.name) for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("raise", "raised ValueError: no more licences"),
        ("exit", "raised SystemExit: 3"),
        ("hang", "took longer than 1 s (sampling.close_timeout), and was interrupted"),
    ],
)
def test_the_next_environments_are_closed_whatever_the_first_does(action, problem, tmp_path):
    events, closed = events_of(tmp_path, close=[action], only="0")
    assert events == [CloseFailed({0: problem})]
    assert str(events[0]) == f"Warning: close() of environment 0 {problem}"
    assert closed == [0, 1, 2]


def test_environments_with_the_same_problem_are_named_together(tmp_path):
    events, closed = events_of(tmp_path, num_workers=2, close=["raise"])
    assert [str(event) for event in events] == [
        "Warning: close() of environments 0, 1, 2 raised ValueError: no more licences"
    ]
    assert closed == [0, 1, 2]


def test_many_environments_that_hang_do_not_take_the_timeout_each(tmp_path):
    start = time.monotonic()
    (event,), closed = events_of(tmp_path, close=["hang"], close_timeout=4)
    assert time.monotonic() - start < 4 + 2 * 1 + 3
    first = "took longer than 4 s (sampling.close_timeout), and was interrupted"
    later = "took longer than 1 s (the limit after another one has hung), and was interrupted"
    assert event.problems == {0: first, 1: later, 2: later}
    assert closed == [0, 1, 2]


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("os exit", "ended its process (ended with exit code 3)"),
        ("crash", "ended its process (killed by SIGSEGV)"),
        ("hang in C", "took longer than 1 s (sampling.close_timeout), and its worker was killed"),
    ],
)
def test_an_environment_that_ends_its_process_is_named(action, problem, tmp_path):
    events, closed = events_of(tmp_path, num_workers=3, close=[action], only="1")
    assert events == [CloseFailed({1: problem})]
    assert closed == [0, 1, 2]


def test_environments_are_named_by_their_indices_among_those_of_all_pools():
    events, sampling, config = [], SamplingConfig(num_envs=3, num_workers=2), rude(close=["raise"], only="5")
    with WorkerPool(Games(config, 1, first=Copy(4)), SPEC, sampling, rollout_length=1, log=events.append) as pool:
        pool.reset()
    assert events == [CloseFailed({5: "raised ValueError: no more licences"})]


def test_an_environment_may_take_the_timeout_to_close(tmp_path):
    """Each of them."""
    assert events_of(tmp_path, close=["sleep", 1.5], close_timeout=2) == ([], [0, 1, 2])


def test_environments_are_closed_if_another_one_cannot_be_made(tmp_path):
    config = rude(closed=str(tmp_path / "{env_index}"), made=["raise"], only="1")
    with open_pool(config, SPEC, num_workers=1) as pool, pytest.raises(WorkerError, match="no more licences"):
        pool.reset()
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def test_environments_are_closed_after_an_error(tmp_path):
    config = rude(closed=str(tmp_path / "{env_index}"), step=["raise"])
    with open_pool(config, SPEC) as pool:
        pool.reset()
        with pytest.raises(WorkerError, match="no more licences"):
            pool.step(np.zeros(3, int))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]


def test_a_worker_that_is_busy_is_named(tmp_path):
    events = []
    config = rude(closed=str(tmp_path / "{env_index}"), step=["sleep", 20], only="0")
    with open_pool(config, SPEC, log=events.append) as pool:
        pool.reset()
        pool.send(np.zeros(3, int))
        time.sleep(0.5)
    assert events == [CloseFailed({0: "was not called: its worker was busy and was killed"})]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
