import contextlib
import csv
import errno
import os
import shutil
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from chaos.disk_faults import Fault, record_operations
from paac_cli.errors import RunDirectoryError
from paac_cli.runs.metrics_csv import METRICS
from paac_cli.runs.sinks import CsvSink, EventLog, TensorBoardSink


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_csv_rows_are_there_at_once(tmp_path):
    sink = CsvSink(tmp_path / "metrics.csv", 0, print)
    sink.metrics(10, {"rollout/ep_rew_mean": -20.5, "time/fps": 2000.123456})
    assert rows(tmp_path / "metrics.csv") == [
        {"steps": "10", "rollout/ep_rew_mean": "-20.5", "time/fps": "2000.12"},
    ]


def test_csv_drops_a_lost_future_and_a_torn_line(tmp_path):
    path = tmp_path / "metrics.csv"
    sink = CsvSink(path, 0, print)
    for steps in (10, 20, 30):
        sink.metrics(steps, {"a": float(steps)})
    with path.open("a") as file:
        file.write("4")  # killed while writing
    sink = CsvSink(path, 20, print)
    sink.metrics(30, {"a": 31.0})
    assert [(row["steps"], row["a"]) for row in rows(path)] == [("10", "10"), ("20", "20"), ("30", "31")]


def test_csv_keeps_its_columns(tmp_path):
    sink = CsvSink(tmp_path / "metrics.csv", 0, print)
    sink.metrics(10, {"a": 1.0, "b": 2.0})
    sink.metrics(20, {"b": 3.0})
    sink = CsvSink(tmp_path / "metrics.csv", 20, print)
    sink.metrics(30, {"b": 5.0, "a": 4.0})
    assert [(row["a"], row["b"]) for row in rows(tmp_path / "metrics.csv")] == [("1", "2"), ("", "3"), ("4", "5")]


def test_tensorboard_reads_it_and_drops_a_lost_future(tmp_path):
    sink = TensorBoardSink(tmp_path, 0, print)
    for steps in (10, 20, 30):
        sink.metrics(steps, {"rollout/ep_rew_mean": float(steps)})
    sink.close()
    sink = TensorBoardSink(tmp_path, 20, print)
    sink.metrics(30, {"rollout/ep_rew_mean": 31.0})
    sink.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("rollout/ep_rew_mean")] == [(10, 10.0), (20, 20.0), (30, 31.0)]


def test_the_readme_explains_every_metric():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert [name for name in METRICS if f"`{name}`" not in readme] == []


def test_csv_drops_what_is_no_row(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("steps,a\n10,1\n\0\0\0,2\n20,2\n")
    CsvSink(path, 20, print).metrics(30, {"a": 3.0})
    assert [row["steps"] for row in rows(path)] == ["10", "20", "30"]


def test_csv_that_is_something_else_is_left_alone(tmp_path):
    path = tmp_path / "metrics.csv"
    for content in (b"a letter\n", b"\xff\xfe\n\n", b"\0\0\n"):
        path.write_bytes(content)
        with pytest.raises(RunDirectoryError, match="it is no table"):
            CsvSink(path, 0, print)
        assert path.read_bytes() == content


# --- killed while writing


def written(path, steps):
    sink = CsvSink(path, 0, print)
    for step in steps:
        sink.metrics(step, {"a": step / 7, "b": -1.0} if step != 30 else {"a": 1.0, "b": 2.0, "late": 3.0})


def test_csv_cut_anywhere_goes_on_without_a_torn_or_doubled_row(tmp_path):
    """Whatever is left of it, and wherever the run goes on: whole rows, each step at most once, none after."""
    written(tmp_path / "whole.csv", range(10, 60, 10))
    whole = (tmp_path / "whole.csv").read_bytes()
    known = {row["steps"]: row for row in rows(tmp_path / "whole.csv")}
    path = tmp_path / "metrics.csv"
    for cut in range(len(whole) + 1):
        resume_at = (0, 20, 45)[cut % 3]
        path.write_bytes(whole[:cut])
        CsvSink(path, resume_at, print).metrics(50, {"a": 1.0})
        *before, last = rows(path)
        left = [line.split(",")[0] for line in whole[:cut].decode().splitlines(keepends=True)[1:] if line[-1] == "\n"]
        assert [row["steps"] for row in before] == [steps for steps in left if int(steps) <= resume_at]
        assert all(row == known[row["steps"]] for row in before)
        assert (last["steps"], last["a"]) == ("50", "1")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("sink", [CsvSink, TensorBoardSink])
def test_a_disk_that_fails_for_a_while_costs_no_row_and_no_training(sink, error, tmp_path):
    """At each of the operations by which rows are written, from one to all that follow for a while."""
    made, names = [], ["first", "second"]
    told = []

    def row(number):
        return {name: float(number) for name in names[: 1 + (number > 2)]}  # a new column comes later

    for at in range(60):
        place = tmp_path / str(at)
        place.mkdir()
        told.clear()
        opened = sink(place / "metrics.csv" if sink is CsvSink else place, 0, told.append)
        with record_operations(place, Fault(at, error, half_written=True, lasting=True)) as operations:
            for number in (1, 2, 3, 4):
                opened.metrics(number, row(number))
        made.append(len(operations))
        failed = len(operations) > at
        opened.metrics(5, row(5))
        opened.close()
        assert steps_in(place) == [1, 2, 3, 4, 5]
        assert len(told) in ((0, 2) if failed else (0,))
        if not failed:
            break
        shutil.rmtree(place)
    else:
        pytest.fail("there is no end of operations")
    assert len(made) > 8


def steps_in(place):
    if (place / "metrics.csv").exists():
        found = rows(place / "metrics.csv")
        assert [row["first"] for row in found] == ["1", "2", "3", "4", "5"]
        assert [row["second"] for row in found] == ["", "", "3", "4", "5"]
        return [int(row["steps"]) for row in found]
    events = EventAccumulator(str(place))
    events.Reload()
    assert [event.step for event in events.Scalars("second")] == [3, 4, 5]
    return [event.step for event in events.Scalars("first")]


def test_metrics_that_cannot_be_begun_are_a_foreseen_error(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RunDirectoryError, match="cannot be used"):
        TensorBoardSink(tmp_path / "file" / "tensorboard", 0, print)
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(RunDirectoryError, match="cannot be used"):
        CsvSink(tmp_path / "metrics.csv", 0, print)


def test_a_csv_that_is_deleted_while_the_run_goes_begins_anew(tmp_path):
    path = tmp_path / "metrics.csv"
    sink = CsvSink(path, 0, print)
    sink.metrics(10, {"a": 1.0})
    path.unlink()
    sink.metrics(20, {"a": 2.0})
    sink.metrics(30, {"a": 3.0})
    assert [row["steps"] for row in rows(path)] == ["20", "30"]


def test_no_file_of_metrics_is_written_through_a_link(tmp_path):
    (tmp_path / "precious").write_text("precious")
    for name in ("metrics.csv", ".metrics.csv.partial"):
        link = tmp_path / name
        link.symlink_to(tmp_path / "precious")
        with contextlib.suppress(RunDirectoryError):
            CsvSink(tmp_path / "metrics.csv", 0, print).metrics(10, {"a": 1.0})
        assert (tmp_path / "precious").read_text() == "precious"
        link.unlink(missing_ok=True)


@pytest.mark.timeout(20)
def test_events_are_written_to_no_pipe_and_through_no_link(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    EventLog(tmp_path / "pipe").event("lost")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    EventLog(tmp_path / "link").event("lost")
    assert (tmp_path / "precious").read_text() == "precious"
    for text in ("one", "two"):
        EventLog(tmp_path / "events.log").event(text)
    assert [line.split()[1] for line in (tmp_path / "events.log").read_text().splitlines()] == ["one", "two"]


def test_a_run_that_starts_over_leaves_no_double_points_in_tensorboard(tmp_path):
    """It died before its first checkpoint."""
    for value in (1.0, 2.0):
        sink = TensorBoardSink(tmp_path, 0, print)
        for steps in (10, 20):
            sink.metrics(steps, {"rollout/ep_rew_mean": value})
        sink.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("rollout/ep_rew_mean")] == [(10, 2.0), (20, 2.0)]
