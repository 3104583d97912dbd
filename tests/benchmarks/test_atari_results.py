"""The twelve games: the tables of results/atari, and the command that trains, evaluates and fills them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from atari import GAMES, PEERS, Result, filled, interquartile_over_games, read_results, scores_table, summary
from paac_cli.reporting.reference_scores import REFERENCE_SCORES

ROOT = Path(__file__).parents[2]
OUT = ROOT / "results" / "atari"


def report(*scores, steps=1_000_000):
    return {
        "mean": float(np.mean(scores)),
        "std": float(np.std(scores)),
        "max": max(scores),
        "scores": list(scores),
        "steps": steps,
    }


BREAKOUT = Result("Breakout", 1, 1_001_472, 0.4, report(300.0, 500.0), report(471.0))
PONG = Result("Pong", 1, 2_000_896, 0.8, report(-20.7, 14.6), report(-21.0))
PAGE = (
    "Before\n<!-- summary -->\n<!-- end -->\n<!-- scores -->\nold\n<!-- end -->\n<!-- cost -->\n<!-- end -->\nAfter\n"
)


def test_the_tables_are_those_of_the_kept_results():
    page = (OUT / "README.md").read_text()
    assert filled(page, read_results(OUT)) == page


def test_every_kept_run_has_the_settings_of_the_preset():
    for directory in OUT.glob("*-seed*"):
        assert json.loads((directory / "run.json").read_text())["preset"] == "atari"


def test_a_row_of_scores():
    rows = scores_table([BREAKOUT]).splitlines()
    assert rows[2] == (
        "| Breakout | 1.7 | 30.5 | 470.1 | 280 | 398 | 430 | 1.0M | 400.0 (std 100.0) | **471.0** (std 0.0) | 1383% |"
    )


def test_the_summary_counts_published_scores_that_are_reached():
    text = summary([BREAKOUT, PONG])
    assert "the paper (115M steps) in 0 of 2, SB3 A2C in 1 of 2, SB3 PPO in 1 of 2, CleanRL PPO in 0 of 2 games" in text
    # Over Breakout and Pong: (470.1 - 1.7) / 28.8 and 41.3 / 35.3 for the paper, 278.3 / 28.8 and 38 / 35.3 for A2C.
    assert "over 2 games" in text
    assert "paper 872%, SB3 A2C 537%" in text


def test_the_interquartile_mean_and_its_interval_worked_by_hand():
    """Each evaluation of Pong has games of random and human score, so a resample of two has a mean of 0, 0.5 or 1."""
    assert interquartile_over_games([PONG]) == pytest.approx((0.5, 0.0, 1.0))
    same = [PONG._replace(game=game, sampled=report(REFERENCE_SCORES[f"ALE/{game}-v5"].human)) for game in GAMES]
    assert interquartile_over_games(same) == pytest.approx((1.0, 1.0, 1.0))


def test_a_page_keeps_what_stands_around_the_tables():
    page = filled(PAGE, [BREAKOUT, PONG])
    assert page.startswith("Before\n<!-- summary -->\n\nWith sampled actions")
    assert page.endswith("<!-- end -->\nAfter\n")
    assert "old" not in page
    assert filled(page, [BREAKOUT, PONG]) == page


def test_published_scores_are_of_the_twelve_games():
    assert len(GAMES) == 12
    for scores in PEERS.values():
        assert {*scores} <= {*GAMES}
    assert {name: len(scores) for name, scores in PEERS.items()} == {"SB3 A2C": 7, "SB3 PPO": 7, "CleanRL PPO": 12}


@pytest.mark.slow
def test_the_command_trains_evaluates_and_goes_on_with_more_steps(tmp_path):
    (tmp_path / "README.md").write_text(PAGE)
    for steps in (8_000, 10_000):
        command = [sys.executable, ROOT / "benchmarks" / "atari.py", "Breakout", "--steps", str(steps)]
        options = ["--policies", "Breakout", "--runs", tmp_path / "runs", "--out", tmp_path]
        subprocess.run([*command, *options], check=True, stdout=subprocess.PIPE)
        (result,) = read_results(tmp_path)
        assert (result.game, result.seed, len(result.sampled["scores"])) == ("Breakout", 1, 30)
        assert result.steps >= steps
        page = (tmp_path / "README.md").read_text()
        assert "| Breakout | 1.7 |" in page
        assert f"| Breakout | {result.steps:,} |" in page
        (policy,) = (tmp_path / "breakout-seed1" / "checkpoints").glob("best_*")
        assert int(policy.name.removeprefix("best_")) == result.sampled["steps"] == result.greedy["steps"]
