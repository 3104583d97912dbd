"""Curves and bars drawn with characters."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paac_cli.reporting.character_graphics import ASCII, divided_bar, progress_bar, sparkline


def test_a_sparkline_rises_from_the_lowest_to_the_highest_level():
    assert sparkline([(step, step) for step in range(1, 9)], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([(step, -step) for step in range(1, 9)], 8, ASCII.levels) == "%#*=~-._"


def test_a_character_is_the_mean_of_its_share_of_the_x_axis():
    points = [(10, 0.0), (20, 7.0), (60, 7.0), (70, 7.0), (99, 0.0), (100, 0.0)]
    # Shares of 25 with means 3.5, none (as before), 7, 0.
    assert sparkline(points, 4) == "▅▅█▁"


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], ""),
        ([(5, math.nan)], " "),
        ([(5, 3.0)], "▁"),
        ([(5, 3.0), (10, 3.0)], "▁▁"),
        ([(1, math.nan), (2, 1.0), (3, math.inf), (4, 2.0)], " ▁▁█"),
        ([(0, 1.0)], "▁"),
    ],
)
def test_curves_of_few_points(points, expected):
    assert sparkline(points, 10) == expected


def test_a_progress_bar_is_full_only_at_the_end():
    assert progress_bar(0.0, 10) == ("", "╌" * 10)
    assert progress_bar(0.999, 10) == ("━" * 9, "╌")
    assert progress_bar(1.2, 10, ASCII) == ("#" * 10, "")


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(1, 200))
def test_the_parts_of_a_divided_bar_fill_it(parts, width):
    whole = math.fsum(parts) or 1.0
    sizes = divided_bar([part / whole for part in parts], width)
    assert min(sizes) >= 0
    assert sum(sizes) == (width if any(parts) else 0)


def test_the_parts_of_a_divided_bar_are_proportional():
    assert divided_bar([0.5, 0.25, 0.25, 0.0], 8) == [4, 2, 2, 0]
