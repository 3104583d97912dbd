"""The tables of returns in results/recipes and results/heads are those of the runs that are kept."""

import csv
import re
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "results"
STEPS = {"200k": 200_000, "400k": 400_000, "600k": 600_000, "800k": 800_000, "1M": 1_000_000, "1.6M": 1_600_000}
RECIPES = (
    "atari/spaceinvaders-seed1",
    "recipes/spaceinvaders-no_normalize_obs",
    "recipes/spaceinvaders-hl_gauss",
    "atari/boxing-seed1",
    "recipes/boxing-no_normalize_obs",
    "atari/beamrider-seed1",
    "recipes/beamrider-learning_rate",
    "heads/beamrider-hl_gauss",
)
HEADS = tuple(
    f"heads/{game}-{run}" for game in ("breakout", "beamrider") for run in ("base", "hl_gauss", "dueling", "gamma")
)


def tables(page):
    """Each table of the page, as rows {name of the column: cell without bold}."""
    for block in re.findall(r"(?:^\|.*\n)+", (RESULTS / page / "README.md").read_text(), re.MULTILINE):
        names, _, *rows = ([cell.strip(" *") for cell in line.split("|")[1:-1]] for line in block.splitlines())
        yield [dict(zip(names, cells, strict=True)) for cells in rows]


def mean_return(run, steps):
    """In the first row at or after `steps`; `None` if the run ended before."""
    with (RESULTS / run / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            if int(row["steps"]) >= steps:
                return float(row["rollout/ep_rew_mean"])
    return None


@pytest.mark.parametrize(
    ("page", "index", "runs"), [("recipes", 0, RECIPES), ("heads", 0, HEADS), ("heads", 1, ["heads/breakout-ppo"])]
)
def test_the_returns_of_a_table_are_those_of_its_runs(page, index, runs):
    rows = list(tables(page))[index][: len(runs)]
    assert len(rows) == len(runs)
    for run, row in zip(runs, rows, strict=True):
        listed = {name.removesuffix(" steps"): cell for name, cell in row.items()}
        for name in STEPS.keys() & listed.keys():
            value = mean_return(run, STEPS[name])
            decimals = 0 if "beamrider" in run or "spaceinvaders" in run else 1
            assert listed[name] == ("" if value is None else f"{value:,.{decimals}f}"), f"{run} at {name}"
