"""Tables of metrics are read row by row: in little memory, and only up to a limit."""

import tracemalloc

import pytest

from obstacles import sparse
from paac_cli.errors import RunDirectoryError
from paac_cli.runs import metrics_csv
from paac_cli.runs.metrics_csv import METRICS, depends_on_clock, read_rows
from paac_cli.runs.sinks import CsvSink
from paac_cli.training.verification import read_metrics


def steps_of(path, **options):
    return [row["steps"] for row in read_rows(path, **options)[1]]


def test_only_metrics_of_time_depend_on_the_clock():
    others = [name for name in METRICS if not depends_on_clock(name)]
    assert [name for name in others if name.startswith("time/")] == ["time/frames", "time/updates"]
    assert all(name in others for name in METRICS if not name.startswith("time/"))
    assert not any(map(depends_on_clock, ("info/market_share", "train/expert_share")))


def test_incomplete_and_garbled_lines_are_left_out_or_an_error(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"steps,a\n1,2\n\0\0,3\n2\nx,4\n\xff,5\n3,4,5\n4,5\n5,")
    assert steps_of(path) == ["1", "4"]
    with pytest.raises(ValueError, match="line 3 is not a row"):
        steps_of(path, strict=True)
    with pytest.raises(RunDirectoryError, match="line 3 is not a row"):
        read_metrics(path)
    assert [steps for steps, _ in read_metrics(written(path, 10), range(3, 6))] == [4, 5, 6]


@pytest.mark.parametrize("content", [b"", b"steps", b"steps,a"])
def test_a_table_without_a_complete_line_is_empty(content, tmp_path):
    (tmp_path / "metrics.csv").write_bytes(content)
    assert read_rows(tmp_path / "metrics.csv")[0] == []
    assert steps_of(tmp_path / "metrics.csv") == []


@pytest.mark.parametrize("content", [b"\n", b"a,steps\n", b'"steps\n', b"\0\n"])
def test_another_first_line_is_an_error(content, tmp_path):
    (tmp_path / "metrics.csv").write_bytes(content + b"1,2\n")
    with pytest.raises(ValueError, match=r"not a CSV table|first column is not"):
        read_rows(tmp_path / "metrics.csv")


def written(path, rows):
    path.write_bytes(b"steps,a\n" + b"".join(b"%d,%d\n" % (row, row) for row in range(1, rows + 1)))
    return path


def test_a_long_table_is_read_and_continued_in_little_memory(tmp_path):
    path = written(tmp_path / "metrics.csv", 100_000)
    tracemalloc.start()
    try:
        CsvSink(path, 99_000, print).write(99_500, {"a": 1.0, "new": 2.0})
        assert sum(1 for _ in read_rows(path)[1]) == 99_001
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20
    lines = path.read_text().splitlines()
    assert lines[:2] == ["steps,a,new", "1,1,"]
    assert lines[-1] == "99500,1,2"


@pytest.mark.timeout(20)
def test_a_table_that_is_too_large_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path / "metrics.csv", 1_000)
    sparse(tmp_path / "zeros.csv", 6 << 30)
    monkeypatch.setattr(metrics_csv, "_MAX_BYTES", 1_000)
    with pytest.raises(ValueError, match="larger than 1,000 bytes"):
        steps_of(path)
    with pytest.raises(ValueError, match="a line is longer than 65,536 bytes"):
        read_rows(tmp_path / "zeros.csv")
    for file in (path, tmp_path / "zeros.csv"):
        with pytest.raises(RunDirectoryError, match="move it away to continue without it"):
            CsvSink(file, 10**6, print)
