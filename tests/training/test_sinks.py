import csv
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from paac_cli.training.sinks import METRICS, CsvSink, TensorBoardSink


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
