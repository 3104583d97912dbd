"""The numbers that the script of a report draws."""

import math
import re

from reported_runs import data_in, page_of, write_checkpoint, write_metrics, write_run

from paac_cli.reporting.report.chart_data import curve_data
from paac_cli.runs.saved_run import RETURN, SavedRun


def test_curves_hold_every_metric_and_end_with_the_newest_checkpoint(tmp_path):
    run = write_run(tmp_path / "run", returns=(math.nan, 20.0, 30.0))
    write_checkpoint(run, 3500, 35.0, seconds=7.0)
    data = curve_data([SavedRun(run)], ["run"])
    assert data["metrics"][0]["name"] == RETURN
    (curve,) = data["runs"]
    assert curve["steps"] == [1000, 2000, 3000, 3500]
    assert curve["seconds"] == [2, 4, 6, 7]
    assert curve["values"][RETURN] == [None, 20, 30, 35]
    assert curve["values"]["train/policy_loss"] == [0.5, 0.25, 0.1666667, None]
    assert data["references"] == [{"name": "goal", "value": 475.0}]
    assert [axis["name"] for axis in data["axes"]] == ["steps", "time"]


def test_a_curve_of_one_point_is_a_dot(tmp_path):
    """A line of no length with round ends; without the latter it would not be drawn."""
    page = page_of(write_run(tmp_path / "run", returns=(20.0,)), tmp_path)
    assert re.search(r'<path d="M[0-9.]+ [0-9.]+h0" class="curve line0">', page)
    assert "stroke-linecap: round" in page


def test_atari_has_an_axis_in_frames_and_references(tmp_path):
    data = curve_data([SavedRun(write_run(tmp_path / "run", preset="pong"))], ["run"])
    assert {axis["name"]: axis["factor"] for axis in data["axes"]} == {"steps": 1, "frames": 4, "time": 1}
    assert {each["name"]: each["value"] for each in data["references"]} == {
        "goal": 18,
        "random play": -20.7,
        "human": 14.6,
        "PAAC paper, nips": 20.6,
    }


def test_the_mean_of_a_group_reaches_as_far_as_every_seed(tmp_path):
    returns = [(0.0, 10.0, 20.0), (10.0, 20.0, 30.0, 40.0), (20.0, 30.0, 40.0)]
    runs = [SavedRun(write_run(tmp_path / f"seed{n}", returns=each)) for n, each in enumerate(returns)]
    mean = curve_data(runs, ["a", "b", "c"])["means"][RETURN]["steps"]
    assert (mean["x"][0], mean["x"][-1]) == (1000, 3000)
    assert (mean["mean"][0], mean["mean"][-1]) == (10, 30)
    assert all(low <= middle <= high for low, middle, high in zip(mean["low"], mean["mean"], mean["high"], strict=True))


def test_a_long_run_is_thinned_and_keeps_its_ends(tmp_path):
    run = write_run(tmp_path / "run")
    write_metrics(run, ["steps", RETURN], [(n, n / 2) for n in range(1, 20_001)])
    (curve,) = curve_data([SavedRun(run)], ["run"])["runs"]
    assert len(curve["steps"]) == 1500
    assert (curve["steps"][0], curve["steps"][-1]) == (1, 20_000)
    assert curve["values"][RETURN] == [steps / 2 for steps in curve["steps"]]


def test_numbers_that_no_axis_can_hold_are_left_out(tmp_path):
    run = write_run(tmp_path / "run")
    write_metrics(run, ["steps", RETURN], [(1, "inf"), (2, "1e400"), (3, "-1e308"), (4, "x"), (5, 1.5)])
    assert data_in(page_of(run, tmp_path))["runs"][0]["values"][RETURN] == [None] * 4 + [1.5]
