"""The model of the speed of several ranks, and the tables in docs/scaling.md that it makes."""

import json
from pathlib import Path

import pytest

import large_batches
from scaling import (
    RESULTS,
    TABLES,
    Line,
    Network,
    Rank,
    exchange_seconds,
    fit,
    measured_network,
    rollout_seconds,
    steps_per_second,
    table,
)

ROOT = Path(__file__).parents[2]


def test_an_exchange_worked_by_hand():
    """Three ranks: 4 messages of 100 bytes each, 1 ms and 10 us per byte, over 50 kB/s: 20 us per byte more."""
    network = Network(call=0.5, message=0.001, byte=1e-5, latency=0.002, bandwidth=50_000.0)
    assert exchange_seconds(network, 3, 300.0) == pytest.approx(0.5 + 4 * (0.001 + 0.002 + 100 * 3e-5))
    assert exchange_seconds(network, 1, 300.0) == 0.0


def test_a_rollout_worked_by_hand():
    """8 environments on 2 cores: 5 steps of 10 + 4 * 100 us and of 20 + 8 * 5 us, and an update of 30 + 40 * 2 us."""
    rank = Rank(Line(10.0, 100.0), Line(20.0, 5.0), Line(30.0, 2.0), cores=2)
    alone = 1e-6 * (5 * (410.0 + 60.0) + 110.0)
    free = Network(0.0, 0.0, 0.0)
    assert rollout_seconds(rank, free, 1, 8, 1000) == pytest.approx(alone)
    assert steps_per_second(rank, free, 3, 8, 1000) == pytest.approx(3 * 8 * 5 / alone)
    assert rollout_seconds(rank._replace(sharing=2), Network(0.01, 0.0, 0.0), 2, 8, 1000) == pytest.approx(
        2 * (alone + 3 * 0.01)
    )


def test_constants_are_found_in_points_that_follow_the_model():
    line = fit([{"n": n, "us": 7.0 + 3.0 * 5 * n} for n in (1, 4, 9)], "n", "us", scale=5)
    assert line == pytest.approx((7.0, 3.0))
    network = Network(0.001, 0.0002, 2e-9)
    points = {
        str(ranks): [
            {"bytes": size, "us": 1e6 * sharing * exchange_seconds(network, ranks, size)} for size in (2e3, 4e5, 3e6)
        ]
        for ranks, sharing in ((2, 1), (4, 2))
    }
    assert measured_network(points)[:3] == pytest.approx(network[:3])


def test_the_page_shows_what_was_measured_and_what_the_model_says():
    page = (ROOT / "docs" / "scaling.md").read_text()
    found = json.loads((ROOT / RESULTS).read_text())
    for rows in TABLES:
        assert table(rows(found)) in page, rows.__name__
    assert large_batches.table(json.loads((ROOT / large_batches.RESULTS).read_text())["returns"]) in page
