"""Statistics over seeds, by hand and beside rliable (rliable_numbers.json; see make_rliable_numbers.py)."""

import json
from pathlib import Path

import numpy as np
import pytest

from paac_cli.reporting.statistics import (
    bootstrap,
    interquartile_curve,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
)

RLIABLE = json.loads(Path(__file__).with_name("rliable_numbers.json").read_text())


def test_statistics_by_hand():
    assert interquartile_mean(np.array([[1.0], [100.0], [2.0], [4.0]])) == 3.0
    assert interquartile_mean(np.array([[1.0], [5.0], [9.0]])) == 5.0  # of three, none is left out
    assert probability_of_improvement(np.array([[3.0], [1.0]]), np.array([[1.0], [2.0]])) == 2.5 / 4
    assert performance_profile(np.array([[1.0, 2.0]]), np.array([0.0, 1.0, 1.5])).tolist() == [1.0, 0.5, 0.5]


@pytest.mark.parametrize("known", RLIABLE, ids=lambda known: f"{len(known['scores'])} runs")
def test_statistics_are_those_of_rliable(known):
    scores, others = np.array(known["scores"]), np.array(known["others"])
    mean = bootstrap(interquartile_mean, scores)
    assert mean.value == pytest.approx(known["interquartile_mean"], abs=1e-12)
    assert mean[1:] == pytest.approx(known["interquartile_mean_interval"], abs=0.04)
    improvement = bootstrap(probability_of_improvement, scores, others)
    assert improvement.value == pytest.approx(known["probability_of_improvement"], abs=1e-12)
    assert improvement[1:] == pytest.approx(known["probability_of_improvement_interval"], abs=0.04)
    profile = performance_profile(scores, np.array(known["thresholds"]))
    assert profile == pytest.approx(known["performance_profile"], abs=1e-12)


def test_a_curve_has_the_statistics_of_each_of_its_points():
    curves = np.random.default_rng(0).normal(size=(6, 2, 4)).cumsum(axis=2)
    mean, low, high = interquartile_curve(curves)
    for point in range(4):
        expected = bootstrap(interquartile_mean, curves[:, :, point])
        assert mean[point] == pytest.approx(expected.value)
        assert (low[point], high[point]) == pytest.approx(expected[1:], abs=0.1)


def test_one_run_has_no_spread():
    assert bootstrap(interquartile_mean, np.array([[5.0]])) == (5.0, 5.0, 5.0)
