"""metrics.csv, TensorBoard files and events.log on disks that fail and in directories with obstacles."""

import contextlib
import csv
import errno
import os
import shutil

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from chaos.disk_faults import Fault, record_operations
from paac_cli.errors import RunDirectoryError
from paac_cli.events import Info
from paac_cli.runs.sinks import CsvSink, EventLog, TensorBoardSink


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_csv_rows_are_written_at_once(tmp_path):
    sink = CsvSink(tmp_path / "metrics.csv", 0, print)
    sink.write(10, {"rollout/ep_rew_mean": -20.5, "time/fps": 2000.123456})
    assert rows(tmp_path / "metrics.csv") == [
        {"steps": "10", "rollout/ep_rew_mean": "-20.5", "time/fps": "2000.12"},
    ]


def test_csv_has_all_digits_of_counts(tmp_path):
    CsvSink(tmp_path / "metrics.csv", 0, print).write(12_345_678, {"time/frames": 49_382_712, "train/loss": 1 / 3})
    assert (tmp_path / "metrics.csv").read_text() == ("steps,time/frames,train/loss\n12345678,49382712,0.333333\n")


def test_csv_deletes_rows_after_the_resume_and_an_incomplete_line(tmp_path):
    path = tmp_path / "metrics.csv"
    sink = CsvSink(path, 0, print)
    for steps in (10, 20, 30):
        sink.write(steps, {"a": float(steps)})
    with path.open("a") as file:
        file.write("4")  # killed while writing
    sink = CsvSink(path, 20, print)
    sink.write(30, {"a": 31.0})
    assert [(row["steps"], row["a"]) for row in rows(path)] == [("10", "10"), ("20", "20"), ("30", "31")]


def test_csv_keeps_the_order_of_its_columns(tmp_path):
    sink = CsvSink(tmp_path / "metrics.csv", 0, print)
    sink.write(10, {"a": 1.0, "b": 2.0})
    sink.write(20, {"b": 3.0})
    sink = CsvSink(tmp_path / "metrics.csv", 20, print)
    sink.write(30, {"b": 5.0, "a": 4.0})
    assert [(row["a"], row["b"]) for row in rows(tmp_path / "metrics.csv")] == [("1", "2"), ("", "3"), ("4", "5")]


def test_tensorboard_reads_the_files_and_discards_points_after_the_resume(tmp_path):
    sink = TensorBoardSink(tmp_path, 0, print)
    for steps in (10, 20, 30):
        sink.write(steps, {"rollout/ep_rew_mean": float(steps)})
    sink.close()
    sink = TensorBoardSink(tmp_path, 20, print)
    sink.write(30, {"rollout/ep_rew_mean": 31.0})
    sink.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("rollout/ep_rew_mean")] == [(10, 10.0), (20, 20.0), (30, 31.0)]


def test_csv_deletes_garbled_lines(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("steps,a\n10,1\n\0\0\0,2\n20,2\n")
    CsvSink(path, 20, print).write(30, {"a": 3.0})
    assert [row["steps"] for row in rows(path)] == ["10", "20", "30"]


def test_a_file_that_is_not_a_metrics_table_is_refused_and_left_unchanged(tmp_path):
    path = tmp_path / "metrics.csv"
    for content in (b"a letter\n", b"\xff\xfe\n\n", b"\0\0\n"):
        path.write_bytes(content)
        with pytest.raises(RunDirectoryError, match=r"not a CSV table|first column is not"):
            CsvSink(path, 0, print)
        assert path.read_bytes() == content


# --- killed while writing


def written(path, steps):
    sink = CsvSink(path, 0, print)
    for step in steps:
        sink.write(step, {"a": step / 7, "b": -1.0} if step != 30 else {"a": 1.0, "b": 2.0, "late": 3.0})


def test_csv_truncated_anywhere_continues_without_incomplete_or_duplicate_rows(tmp_path):
    """Whatever the length of the file and the step of the resume: complete rows, each step once, none after it."""
    written(tmp_path / "whole.csv", range(10, 60, 10))
    whole = (tmp_path / "whole.csv").read_bytes()
    known = {row["steps"]: row for row in rows(tmp_path / "whole.csv")}
    path = tmp_path / "metrics.csv"
    for cut in range(len(whole) + 1):
        resume_at = (0, 20, 45)[cut % 3]
        path.write_bytes(whole[:cut])
        CsvSink(path, resume_at, print).write(50, {"a": 1.0})
        *before, last = rows(path)
        left = [line.split(",")[0] for line in whole[:cut].decode().splitlines(keepends=True)[1:] if line[-1] == "\n"]
        assert [row["steps"] for row in before] == [steps for steps in left if int(steps) <= resume_at]
        assert all(row == known[row["steps"]] for row in before)
        assert (last["steps"], last["a"]) == ("50", "1")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("sink", [CsvSink, TensorBoardSink])
def test_no_row_is_lost_when_the_disk_fails_for_a_while(sink, error, tmp_path):
    """The disk fails from each operation on in turn, until the last row, when it works again."""
    counts, names = [], ["first", "second"]
    events = []

    def row(number):
        return {name: float(number) for name in names[: 1 + (number > 2)]}  # a new column comes later

    for at in range(60):
        directory = tmp_path / str(at)
        directory.mkdir()
        events.clear()
        opened = sink(directory / "metrics.csv" if sink is CsvSink else directory, 0, events.append)
        with record_operations(directory, Fault(at, error, half_written=True, lasting=True)) as operations:
            for number in (1, 2, 3, 4):
                opened.write(number, row(number))
        counts.append(len(operations))
        failed = len(operations) > at
        opened.write(5, row(5))
        opened.close()
        assert steps_in(directory) == [1, 2, 3, 4, 5]
        assert len(events) in ((0, 2) if failed else (0,))
        if not failed:
            break
        shutil.rmtree(directory)
    else:
        pytest.fail("the writes never ended without a fault")
    assert len(counts) > 8


@pytest.mark.parametrize("sink", [CsvSink, TensorBoardSink])
def test_rows_that_could_not_be_written_until_the_end_are_reported(sink, tmp_path):
    events = []
    opened = sink(tmp_path / "metrics.csv", 0, events.append)
    opened.write(10, {"a": 1.0})
    with record_operations(tmp_path, Fault(0, errno.ENOSPC, lasting=True)):
        for steps in (20, 30):
            opened.write(steps, {"a": 2.0})
        opened.close()
    first, last = map(str, events)
    assert "keeps the rows in memory" in first
    assert last.endswith("could not be written until the end: 2 rows missing")


def test_no_column_is_lost_when_the_file_cannot_be_replaced_at_once(tmp_path):
    path = tmp_path / "metrics.csv"
    for at in range(60):
        path.unlink(missing_ok=True)
        sink = CsvSink(path, 0, print)
        sink.write(10, {"a": 1.0, "b": 2.0})
        with record_operations(tmp_path, Fault(at, errno.ENOSPC)) as operations:
            sink.write(20, {"a": 3.0, "c": 4.0})  # a new column, so the file is replaced
        sink.write(30, {"a": 5.0})
        assert path.read_text() == "steps,a,b,c\n10,1,2,\n20,3,,4\n30,5,,\n"
        if len(operations) <= at:
            break
    else:
        pytest.fail("the writes never ended without a fault")
    assert at > 4


def steps_in(directory):
    if (directory / "metrics.csv").exists():
        found = rows(directory / "metrics.csv")
        assert [row["first"] for row in found] == ["1", "2", "3", "4", "5"]
        assert [row["second"] for row in found] == ["", "", "3", "4", "5"]
        return [int(row["steps"]) for row in found]
    events = EventAccumulator(str(directory))
    events.Reload()
    assert [event.step for event in events.Scalars("second")] == [3, 4, 5]
    return [event.step for event in events.Scalars("first")]


def test_a_file_that_cannot_be_opened_at_the_start_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RunDirectoryError, match="cannot be used"):
        TensorBoardSink(tmp_path / "file" / "tensorboard", 0, print)
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(RunDirectoryError, match="cannot be used"):
        CsvSink(tmp_path / "metrics.csv", 0, print)


def test_a_csv_that_is_deleted_during_training_starts_again(tmp_path):
    path = tmp_path / "metrics.csv"
    sink = CsvSink(path, 0, print)
    sink.write(10, {"a": 1.0})
    path.unlink()
    sink.write(20, {"a": 2.0})
    sink.write(30, {"a": 3.0})
    assert [row["steps"] for row in rows(path)] == ["20", "30"]


def test_metrics_are_not_written_through_a_symbolic_link(tmp_path):
    (tmp_path / "precious").write_text("precious")
    for name in ("metrics.csv", ".metrics.csv.partial"):
        link = tmp_path / name
        link.symlink_to(tmp_path / "precious")
        with contextlib.suppress(RunDirectoryError):
            CsvSink(tmp_path / "metrics.csv", 0, print).write(10, {"a": 1.0})
        assert (tmp_path / "precious").read_text() == "precious"
        link.unlink(missing_ok=True)


@pytest.mark.timeout(20)
def test_events_are_not_written_to_a_pipe_or_through_a_symbolic_link(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    EventLog(tmp_path / "pipe")(Info("ignored"))
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    EventLog(tmp_path / "link")(Info("ignored"))
    assert (tmp_path / "precious").read_text() == "precious"
    for text in ("one", "two"):
        EventLog(tmp_path / "events.log")(Info(text))
    assert [line.split()[1] for line in (tmp_path / "events.log").read_text().splitlines()] == ["one", "two"]


def test_events_are_readable_in_any_terminal_and_written_in_any_locale(tmp_path):
    EventLog(tmp_path / "events.log")(Info("größe \x1b[2J\x9b \udcff"))
    assert (tmp_path / "events.log").read_bytes().endswith("größe \\x1b[2J\\x9b \\xff\n".encode())


def test_a_run_that_starts_over_leaves_no_duplicate_points_in_tensorboard(tmp_path):
    """It was killed before its first checkpoint."""
    for value in (1.0, 2.0):
        sink = TensorBoardSink(tmp_path, 0, print)
        for steps in (10, 20):
            sink.write(steps, {"rollout/ep_rew_mean": value})
        sink.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("rollout/ep_rew_mean")] == [(10, 2.0), (20, 2.0)]
