"""Trackers: what they get, and that neither their errors nor their delays reach the training."""

import json
import time

import pytest

from paac_cli.errors import ConfigError, DependencyError, RunDirectoryError
from paac_cli.events import Alert, Info
from paac_cli.runs import tracking
from paac_cli.runs.tracking import TrackedRun, TrackerSink, tracking_id
from paac_cli.training import find_trackers
from paac_cli.training.find_trackers import make_tracker, require_trackers


def open_tracker(name, directory, events, *, has_finished=True):
    run = TrackedRun("0123456789abcdef", "some-run", directory, {"seed": 3}, 64)
    name = f"own_trackers:{name}"
    return TrackerSink(name, lambda: make_tracker(name, run), events.append, lambda: has_finished)


def lines(directory):
    return [json.loads(line) for line in (directory / "rows.jsonl").read_text().splitlines()]


def texts(events, kind):
    return [event.text for event in events if isinstance(event, kind)]


@pytest.mark.parametrize(("has_finished", "outcome"), [(True, "finished"), (False, "stopped")])
def test_a_tracker_gets_the_run_its_rows_and_its_outcome(has_finished, outcome, tmp_path):
    with open_tracker("JsonLines", tmp_path, events := [], has_finished=has_finished) as sink:
        sink.write(128, {"rollout/ep_rew_mean": 1.0, "a": float("nan")})
        sink.write(192, {"a": 2.0})
    assert lines(tmp_path) == [
        {"id": "0123456789abcdef", "name": "some-run", "resume_at": 64, "seed": 3},
        {"steps": 128, "names": ["a", "rollout/ep_rew_mean"]},
        {"steps": 192, "names": ["a"]},
        {"outcome": outcome},
    ]
    assert events == []


def test_a_tracker_is_closed_as_failed_if_the_run_fails(tmp_path):
    with pytest.raises(ValueError, match="a bug"), open_tracker("JsonLines", tmp_path, []):
        raise ValueError("a bug")
    assert lines(tmp_path)[-1] == {"outcome": "failed"}


def test_errors_are_warned_of_once_and_later_rows_are_recorded(tmp_path):
    with open_tracker("FailsForAWhile", tmp_path, events := []) as sink:
        for steps in (1, 2, 3, 4):
            sink.write(steps, {"a": 1.0})
    assert [line["steps"] for line in lines(tmp_path) if "steps" in line] == [3, 4]
    failed, missing = texts(events, Alert)
    assert failed.startswith(
        "the tracker own_trackers:FailsForAWhile failed: ConnectionError: no answer. Training conti"
    )
    assert missing == "2 rows missing in the tracker own_trackers:FailsForAWhile"
    assert texts(events, Info) == ["The tracker own_trackers:FailsForAWhile works again"]


def test_a_tracker_that_never_works_is_warned_of_once(tmp_path):
    with open_tracker("FailsAlways", tmp_path, events := []) as sink:
        for steps in range(5):
            sink.write(steps, {"a": 1.0})
    failed, missing = texts(events, Alert)
    assert "failed: OSError: no route to host. Training continues, and metrics.csv has all rows" in failed
    assert missing == "5 rows missing in the tracker own_trackers:FailsAlways"


def test_a_tracker_that_can_only_be_closed_does_not_work_again(tmp_path):
    with open_tracker("FailsToWrite", tmp_path, events := []) as sink:
        sink.write(1, {"a": 1.0})
    assert len(texts(events, Alert)) == 2
    assert texts(events, Info) == []


def test_a_tracker_that_hangs_delays_neither_the_training_nor_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "_CLOSE_TIMEOUT", 0.2)
    monkeypatch.setattr(tracking, "_MAX_WAITING", 3)
    begin = time.monotonic()
    with open_tracker("Hangs", tmp_path, events := []) as sink:
        for steps in range(10):
            sink.write(steps, {"a": 1.0})
    assert time.monotonic() - begin < 2
    assert texts(events, Alert) == ["the tracker own_trackers:Hangs has not finished; its last rows may be missing"]


def test_missing_packages_and_classes_are_errors_before_a_run_starts(tmp_path, monkeypatch):
    require_trackers(["tensorboard", "own_trackers:JsonLines"])
    with pytest.raises(DependencyError, match=r"needs the package nothing_such, .*pip install -e '\.\[nothing_such\]'"):
        monkeypatch.setitem(find_trackers._BUILT_IN, "nothing_such", "nothing:Such")
        require_trackers(["nothing_such"])
    with pytest.raises(ConfigError, match=r"own_trackers:Missing cannot be imported: AttributeError: .*Missing"):
        require_trackers(["own_trackers:Missing"])
    with pytest.raises(ConfigError, match="no_module:Class cannot be imported: ModuleNotFoundError"):
        require_trackers(["no_module:Class"])


def test_the_id_of_a_run_is_made_once(tmp_path):
    path = tmp_path / "tracking_id"
    made = tracking_id(path)
    assert tracking_id(path) == made
    assert path.read_text() == f"{made}\n"
    assert tracking_id(tmp_path / "other") != made
    path.write_text("../../etc")
    assert tracking_id(path) == path.read_text().strip() != "../../etc"
    (tmp_path / "directory").mkdir()
    with pytest.raises(RunDirectoryError, match="directory cannot be used"):
        tracking_id(tmp_path / "directory")
