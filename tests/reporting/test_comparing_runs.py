"""`paac compare`: numbers by hand, and its forms of output."""

import csv
import json
import math

import pytest
from click.testing import CliRunner

from chaos.save_scenes import some_checkpoint
from paac_cli.cli.main import main
from paac_cli.config.load import load_config, to_yaml
from paac_cli.reporting.comparison import compare
from paac_cli.reporting.comparison_text import format_csv, format_text
from paac_cli.reporting.run_list import list_runs
from paac_cli.reporting.series import sort_into_series
from paac_cli.runs.checkpoint import save_checkpoint
from paac_cli.runs.saved_run import read_runs


def write_curve(
    directory, returns, *, algorithm="paac", seed=1, env="CartPole-v1", goal=None, protocol=None, games=100, **settings
):
    """A run with a row of metrics every 100 steps, 10 seconds and `games`.

    `returns` may have None before the first game. goal: of a mean over 100 games, or `stop_when`. settings: of `env`.
    """
    settings = {
        "seed": seed,
        "env": {"id": env} | ({"protocol": protocol} if protocol else {}) | settings,
        "algorithm": {"name": algorithm},
        "network": {"torso": "nips" if env.startswith("ALE/") else "mlp"},
        "training": {"total_steps": 1000, "stop_when": {"mean_return": goal} if isinstance(goal, int) else goal},
    }
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text(to_yaml(load_config(settings, "test")))
    rows = [
        f"{100 * number},{math.nan if value is None else value},{10 * number},{games * number}"
        for number, value in enumerate(returns, 1)
    ]
    (directory / "metrics.csv").write_text("\n".join([",".join(COLUMNS), *rows, ""]))


COLUMNS = ("steps", "rollout/ep_rew_mean", "time/time_elapsed", "rollout/episodes")


def compared(path, threshold=None):
    return compare(sort_into_series(read_runs([path])), threshold)


def test_a_row_has_the_numbers_of_its_runs(tmp_path):
    for seed, returns in enumerate([[1, 5, 3], [None, 2, 2], [1, 6, 7], [1, 1, 4]], 1):
        write_curve(tmp_path / f"seed{seed}", returns, seed=seed)
    (row,) = compared(tmp_path, threshold=4)["rows"]
    assert row["seeds"] == [1, 2, 3, 4]
    assert row["steps"] == [300] * 4
    assert row["final"].value == 3.5  # of 2, 3, 4, 7 without the lowest and the highest
    assert row["best"].value == 4.5  # of 2, 4, 5, 7
    assert row["final"].low < 3.5 < row["final"].high
    assert row["reached"] == 3
    assert row["steps_to_threshold"] == 200  # of 200, 200, 300
    assert row["minutes_to_threshold"] == pytest.approx(20 / 60)
    assert row["steps_per_second"] == 10
    assert row["human_normalised"] is None


def test_the_goal_of_the_runs_is_the_threshold_unless_goals_differ(tmp_path):
    write_curve(tmp_path / "same" / "one", [1, 5], goal=5)
    write_curve(tmp_path / "same" / "other", [1, 4], algorithm="ppo", goal=5)
    assert [(row["threshold"], row["reached"]) for row in compared(tmp_path / "same")["rows"]] == [(5, 1), (5, 0)]
    write_curve(tmp_path / "same" / "third", [1, 4], algorithm="nstep_q", goal=6)
    assert [row["threshold"] for row in compared(tmp_path / "same")["rows"]] == [None] * 3


def test_a_mean_of_few_games_is_neither_the_best_nor_a_goal_that_is_reached(tmp_path):
    write_curve(tmp_path / "run", [90, 10, 20], games=45)  # 45, 90 and 135 games
    (row,) = compared(tmp_path, threshold=15)["rows"]
    assert (row["best"].value, row["steps_to_threshold"]) == (20, 300)
    assert compared(tmp_path, threshold=30)["rows"][0]["reached"] == 0
    write_curve(tmp_path / "run" / "young", [90], games=45)
    young = compare(sort_into_series(read_runs([tmp_path / "run" / "young"])))
    assert young["rows"][0]["best"] is None
    assert "90" in format_text(young, None)  # final


def test_a_goal_of_fewer_games_is_no_threshold(tmp_path):
    """The run may have reached it although no mean of 100 games has."""
    write_curve(tmp_path / "run", [1, 5], goal={"mean_return": 7.0, "episodes": 10})
    assert compared(tmp_path)["rows"][0]["threshold"] is None


def test_the_order_of_settings_does_not_matter(tmp_path):
    wind, time = {"enable_wind": True, "gravity": -9.0}, {"flatten": True, "normalize_time": True}
    for seed, order in enumerate((dict, lambda settings: dict(reversed(settings.items()))), 1):
        wrappers = [{"name": "TimeAwareObservation", "kwargs": order(time)}]
        write_curve(tmp_path / f"seed{seed}", [1], seed=seed, kwargs=order(wind), wrappers=wrappers)
    assert [row["seeds"] for row in compared(tmp_path)["rows"]] == [[1, 2]]


def test_runs_without_any_finished_game_are_an_error(tmp_path):
    write_curve(tmp_path / "run", [None, None])
    for form in ("text", "csv"):
        result = CliRunner().invoke(main, ["compare", str(tmp_path), "--format", form])
        assert result.exit_code != 0
        assert "has no mean return in metrics.csv yet: no game has ended" in result.stderr


def test_two_algorithms_in_two_games(tmp_path):
    for env, random, human in (("ALE/Pong-v5", -20.7, 14.6), ("ALE/Breakout-v5", 1.7, 30.5)):
        for algorithm, share in (("paac", 0.5), ("ppo", 1.5)):
            score = random + share * (human - random)
            for seed in (1, 2):
                path = tmp_path / env / f"{algorithm}{seed}"
                write_curve(path, [random, score], algorithm=algorithm, env=env, seed=seed)
    comparison = compared(tmp_path)
    assert [row["human_normalised"].value for row in comparison["rows"]] == pytest.approx([0.5, 1.5, 0.5, 1.5])
    assert [(row["label"], row["games"]) for row in comparison["overall"]] == [("paac", 2), ("ppo", 2)]
    assert [row["human_normalised"].value for row in comparison["overall"]] == pytest.approx([0.5, 1.5])
    write_curve(tmp_path / "another", [0.0, 1.0], algorithm="paac", env="ALE/Pong-v5", seed=3)
    assert compared(tmp_path)["overall"][0]["human_normalised"] is None  # one game would count more than the other
    text = CliRunner().invoke(main, ["compare", str(tmp_path)]).stdout
    assert "paac over 2 games: no mean, because that needs as many seeds in each game" in text
    (improvement,) = comparison["improvement"]
    assert (improvement["label"], improvement["over"], len(improvement["games"])) == ("ppo", "paac", 2)
    assert improvement["probability"] == (1, 1, 1)
    settings = {row["setting"] for row in comparison["differences"]}
    assert "algorithm.ent_coef" not in settings  # both have 0.01
    assert "algorithm.clip_coef" not in settings  # paac has none


def test_one_run_per_row_gives_no_probability(tmp_path):
    write_curve(tmp_path / "paac", [1.0])
    write_curve(tmp_path / "ppo", [2.0], algorithm="ppo")
    for seed in (1, 2):  # the only game in which both have two runs
        write_curve(tmp_path / f"paac{seed}", [1.0], env="Acrobot-v1", seed=seed)
        comparison = compared(tmp_path)
        assert comparison["improvement"] == []
        assert "probability" not in format_text(comparison, None)
        write_curve(tmp_path / f"ppo{seed}", [2.0], algorithm="ppo", env="Acrobot-v1", seed=seed)
    (improvement,) = compared(tmp_path)["improvement"]
    assert improvement["games"] == ["Acrobot-v1"]


def test_a_setting_without_a_value_is_explained_where_it_occurs(tmp_path):
    note = "settings are compared within each game; '-': not set, or no difference from other rows of that game"
    write_curve(tmp_path / "slow", [1.0], kwargs={"sutton_barto_reward": True})
    write_curve(tmp_path / "fast", [1.0], kwargs={"sutton_barto_reward": False})
    assert note not in format_text(compared(tmp_path), None)
    write_curve(tmp_path / "alone", [1.0], algorithm="ppo", env="Acrobot-v1")
    assert note in format_text(compared(tmp_path), None)


def test_other_rules_are_other_rows_and_that_is_said(tmp_path):
    write_curve(tmp_path / "one", [1.0], env="ALE/Pong-v5", protocol="baselines")
    write_curve(tmp_path / "other", [2.0], env="ALE/Pong-v5", protocol="paac2017")
    result = CliRunner().invoke(main, ["compare", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "Pong-v5, rule set baselines" in result.stdout
    assert "Pong-v5, rule set paac2017" in result.stdout
    assert "the same game under other rules has a row of its own" in result.stdout


def test_a_run_without_a_finished_game_is_left_out_by_name(tmp_path):
    write_curve(tmp_path / "begun", [None, None], seed=2)
    write_curve(tmp_path / "going", [None, 3.0])
    comparison = compared(tmp_path)
    assert comparison["left_out"] == [str(tmp_path / "begun")]
    assert [row["seeds"] for row in comparison["rows"]] == [[1]]
    assert f"left out, because metrics.csv has no mean return: {tmp_path / 'begun'}" in format_text(comparison, None)


def test_list_and_comparison_have_the_score_of_a_checkpoint_that_is_newer_than_the_last_row(tmp_path):
    write_curve(tmp_path / "stopped", [10.0, 40.0])
    save_checkpoint(tmp_path / "stopped" / "checkpoints", some_checkpoint(250)._replace(score=104.0), keep=1)
    assert compared(tmp_path)["rows"][0]["final"].value == 104.0
    assert [run["score"] for run in list_runs([tmp_path / "stopped"], tmp_path)] == [104.0]


def test_all_forms_hold_the_same_numbers(tmp_path):
    for seed, returns in enumerate([[1, 5], [1, 6], [1, 7]], 1):
        write_curve(tmp_path / f"paac-seed{seed}", returns, seed=seed)
        write_curve(tmp_path / f"ppo-seed{seed}", returns[:1], seed=seed, algorithm="ppo")
    outputs = {}
    for form in ("text", "markdown", "csv", "json"):
        result = CliRunner().invoke(main, ["compare", str(tmp_path), "--format", form])
        assert result.exit_code == 0, result.output
        outputs[form] = result.stdout
    assert [row["final"][0] for row in json.loads(outputs["json"])["rows"]] == [6, 1]
    rows = list(csv.DictReader(outputs["csv"].splitlines()))
    assert [(row["label"], row["final"], row["seeds"]) for row in rows] == [
        ("paac", "6.0", "1 2 3"),
        ("ppo", "1.0", "1 2 3"),
    ]
    for form in ("text", "markdown"):
        assert "6 [5, 7]" in outputs[form]
        assert "probability that a run of ppo ends above one of paac, in 1 game: 0.0%" in outputs[form]
    assert "| CartPole-v1 | paac | 1-3 | 6 [5, 7] |" in outputs["markdown"]


def test_csv_has_the_same_columns_with_and_without_scores(tmp_path):
    write_curve(tmp_path / "with", [1.0, 2.0])
    write_curve(tmp_path / "without", [1.0], games=50)
    headers, cells = [], []
    for name in ("with", "without"):
        [row] = csv.DictReader(format_csv(compared(tmp_path / name)).splitlines())
        headers.append(list(row))
        cells.append([row[column] for column in ("best", "best_low", "best_high")])
    assert headers[0] == headers[1]
    assert cells == [["2.0", "2.0", "2.0"], ["", "", ""]]
