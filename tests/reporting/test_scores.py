"""The report of `paac eval`."""

from typing import NamedTuple

import pytest

from paac_cli.config.load import load_config
from paac_cli.reporting.scores import format_scores, score_report

SECTIONS = {"network": {"torso": "nature"}, "training": {"total_steps": 1}}
PLAYED = {"checkpoint": "runs/x/checkpoints/best_1", "steps": 1_000, "actions": "greedy", "seed": 3}


class ScoredGame(NamedTuple):
    score: float
    length: int
    info: dict[str, float]


GAMES = [ScoredGame(10.0, 100, {}), ScoredGame(20.0, 300, {})]


def test_scores_of_a_known_game_are_compared_with_published_ones():
    report = score_report(load_config({"env": {"id": "ALE/Pong-v5"}, **SECTIONS}, "test"), GAMES)
    assert (report["mean"], report["std"], report["median"]) == (15.0, 5.0, 15.0)
    assert (report["min"], report["max"], report["mean_length"]) == (10.0, 20.0, 200.0)
    assert report["human_normalised"] == pytest.approx((15.0 + 20.7) / (14.6 + 20.7))
    text = format_scores(report | PLAYED)
    assert "ALE/Pong-v5, rule set baselines, actions greedy, seed 3" in text
    assert "2 games: mean 15.00, std 5.00, median 15.00, min 10, max 20, mean length 200 steps" in text
    assert "PAAC paper, network nature, rule set paac2017: 20.9" in text


@pytest.mark.parametrize(
    ("setting", "rules"),
    [
        ({"mode": 1}, "mode 1"),
        ({"difficulty": 0}, "difficulty 0"),
        ({"mode": 0, "difficulty": 3}, "mode 0, difficulty 3"),
    ],
)
def test_scores_of_another_mode_are_not_compared_with_published_ones(setting, rules):
    report = score_report(load_config({"env": {"id": "ALE/Pong-v5", **setting}, **SECTIONS}, "test"), GAMES)
    assert {name: report[name] for name in setting} == setting
    assert "human_normalised" not in report
    text = format_scores(report | PLAYED)
    assert f"ALE/Pong-v5, rule set baselines, {rules}, actions greedy, seed 3" in text
    assert "paper" not in text


def test_fractional_scores_have_as_many_decimals_as_their_mean():
    games = [ScoredGame(-313.978, 200, {}), ScoredGame(-1.52911, 200, {"distance": 1234567.5})]
    report = score_report(load_config({"env": {"id": "Pendulum-v1"}, **SECTIONS}, "test"), games)
    text = format_scores(report | PLAYED)
    assert "mean -157.75, std 156.22, median -157.75, min -313.98, max -1.53, mean length 200 steps" in text
    assert "distance 1234567.50 (mean)" in text


def test_scores_of_another_environment_stand_alone():
    config = load_config({"env": {"id": "CartPole-v1"}, **SECTIONS}, "test")
    report = score_report(config, GAMES[:1])
    assert "human_normalised" not in report
    assert format_scores(report | PLAYED).splitlines()[1:] == [
        "CartPole-v1, actions greedy, seed 3",
        "1 game: mean 10.00, std 0.00, median 10.00, min 10, max 10, mean length 100 steps",
    ]
