"""Sweeps over numbers of workers and environments."""

import pytest
from budgets import sampler_report

from paac_cli.bench import budget
from paac_cli.bench.sweep import format_sweep, sweep_report


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(budget, "available_cores", lambda: 2)


def test_a_sweep_recommends_the_smallest_numbers_that_are_as_fast_as_the_fastest():
    points = [(16, 1, 4_000), (32, 4, 7_800), (32, 2, 7_700), (64, 2, 8_000)]
    report = sweep_report([sampler_report(*point) for point in points])
    assert report["recommended"]["flags"] == "--num-envs 32 --num-workers 2"
    assert [row["num_envs"] for row in report["sweep"]] == [16, 32, 32, 64]
    text = format_sweep(report)
    assert "Recommended: --num-envs 32 --num-workers 2" in text
    assert max(map(len, text.splitlines())) <= 80
