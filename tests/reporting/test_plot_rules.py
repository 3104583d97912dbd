"""What `paac plot` draws together: one panel for each game and its rules, one curve for each algorithm."""

import math
import re

import pytest
from click.testing import CliRunner
from plain_run import write_run
from reported_runs import write_metrics

from paac_cli.cli.main import main
from paac_cli.config.load import load_config, to_yaml
from paac_cli.errors import RunDirectoryError
from paac_cli.reporting.plot import plot_runs
from paac_cli.reporting.series import differences, sort_into_series
from paac_cli.runs.saved_run import SavedRun

COLUMNS = ("steps", "rollout/ep_rew_mean")


def write_pong(directory, algorithm="paac", seed=1, network=None, **env):
    """A run of Pong with these settings."""
    config = load_config(
        {
            "seed": seed,
            "env": {"id": "ALE/Pong-v5", **env},
            "algorithm": {"name": algorithm},
            "network": {"torso": "nips", **(network or {})},
            "training": {"total_steps": 100},
        },
        "test",
    )
    write_run(directory)
    (directory / "config.yaml").write_text(to_yaml(config))
    return directory


def texts(svg):
    """The texts in a picture that was made by Matplotlib."""
    return [line.strip()[5:-4] for line in svg.read_text().splitlines() if line.strip().startswith("<!-- ")]


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"mode": 1}, "rule set baselines, mode 1"),
        ({"difficulty": 2}, "rule set baselines, difficulty 2"),
        ({"protocol": "paac2017"}, "rule set paac2017"),
    ],
)
def test_other_rules_have_a_panel_of_their_own(setting, name, tmp_path):
    runs = [write_pong(tmp_path / "one"), write_pong(tmp_path / "other", **setting)]
    plot_runs(runs, tmp_path / "curve.svg")
    assert {"Pong-v5, rule set baselines", f"Pong-v5, {name}"} <= set(texts(tmp_path / "curve.svg"))
    if "protocol" in setting:
        with pytest.raises(RunDirectoryError, match="scores under different rules are not aggregated"):
            plot_runs(runs, tmp_path / "curve.svg", aggregate=True)


def test_a_plot_names_the_mode_and_draws_no_published_score_of_another(tmp_path):
    for name, setting in [("default", {}), ("mode", {"mode": 1})]:
        plot_runs([write_pong(tmp_path / name, **setting)], tmp_path / f"{name}.svg")
    default, mode = (texts(tmp_path / f"{name}.svg") for name in ("default", "mode"))
    assert {"Pong-v5, rule set baselines", "human: 14.6", "random: -20.7"} <= set(default)
    assert "PAAC paper, nips, rule set paac2017: 20.6" in default
    assert "Pong-v5, rule set baselines, mode 1" in mode
    assert not [text for text in mode if "paper" in text or "human" in text]


def test_seeds_become_one_curve_and_its_name_says_what_differs(tmp_path):
    for seed in (10, 2, 1):
        write_pong(tmp_path / f"ppo-seed{seed}", "ppo", seed)
        write_pong(tmp_path / f"paac-seed{seed}", seed=seed)
        write_pong(tmp_path / f"layer_norm-seed{seed}", seed=seed, network={"layer_norm": True})
    runs = [SavedRun(path) for path in sorted(tmp_path.iterdir())]
    series = sort_into_series(runs)
    assert [(one.label, [run.config.seed for run in one.runs]) for one in series] == [
        ("paac, layer_norm", [1, 2, 10]),
        ("paac", [1, 2, 10]),
        ("ppo", [1, 2, 10]),
    ]
    assert differences([series[0].runs[0], series[1].runs[2]]) == {("network", "layer_norm"): [True, False]}
    plot_runs([tmp_path], tmp_path / "curve.svg")
    assert {"paac, layer_norm, 3 seeds", "paac, 3 seeds", "ppo, 3 seeds"} <= set(texts(tmp_path / "curve.svg"))


def test_an_unknown_metric_is_refused_with_those_that_exist(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"has no metric rollout/ep_rew; did you mean rollout/ep_rew_mean\?"):
        plot_runs([write_run(tmp_path / "run")], tmp_path / "curve.png", y="rollout/ep_rew")


def test_a_run_without_a_finished_game_says_so(tmp_path):
    run = write_run(tmp_path / "run")
    metrics = run / "metrics.csv"
    header, first, *_ = [line.split(",") for line in metrics.read_text().splitlines()]
    first[header.index("rollout/ep_rew_mean")] = "nan"
    metrics.write_text(f"{','.join(header)}\n{','.join(first)}\n")
    with pytest.raises(RunDirectoryError, match=r"nothing to plot yet: its rollout/ep_rew_mean .* a finished game"):
        plot_runs([run], tmp_path / "curve.png")
    metrics.write_text(f"{','.join(header)}\n")
    with pytest.raises(RunDirectoryError, match=r"metrics\.csv has no row; training\.log_every is 10,000 steps"):
        plot_runs([run], tmp_path / "curve.png")


def test_runs_without_a_value_are_left_out_and_named(tmp_path):
    write_run(tmp_path / "going")
    write_pong(tmp_path / "empty")
    write_metrics(tmp_path / "empty", COLUMNS, [])
    write_pong(tmp_path / "begun", "ppo")
    write_metrics(tmp_path / "begun", COLUMNS, [(100, math.nan)])
    picture = tmp_path / "curve.svg"
    result = CliRunner().invoke(main, ["plot", str(tmp_path), "--out", str(picture)])
    assert (result.exit_code, result.stdout) == (0, f"{picture}\n")
    assert result.stderr == (
        "left out, because metrics.csv has no value of rollout/ep_rew_mean: "
        f"{tmp_path / 'begun'}, {tmp_path / 'empty'}\n"
    )
    assert "CartPole-v1" in texts(picture)
    assert not [text for text in texts(picture) if "Pong" in text or "ppo" in text]


def test_runs_without_the_metric_are_left_out_if_others_have_it(tmp_path):
    write_run(tmp_path / "without")
    write_run(tmp_path / "with")
    write_metrics(tmp_path / "with", ("steps", "train/loss"), [(1, 2.0), (2, 1.0)])
    assert plot_runs([tmp_path], tmp_path / "curve.svg", y="train/loss") == [tmp_path / "without"]
    with pytest.raises(RunDirectoryError, match=r"has no metric train/los; did you mean train/loss\?"):
        plot_runs([tmp_path], tmp_path / "curve.svg", y="train/los")


def markers(svg):
    """How many times a marker is drawn in a picture that was made by Matplotlib, without the ticks of its axes."""
    groups = re.findall(r'<g id="line2d_\d+">.*?<g clip-path.*?</g>', svg.read_text(), flags=re.DOTALL)
    return sum("<use" in group for group in groups)


def test_a_single_point_is_drawn_and_only_runs_that_are_drawn_are_counted(tmp_path):
    for name, rows in {"one": [(1, 7.0), (2, math.nan)], "other": [(1, math.nan)]}.items():
        write_metrics(write_run(tmp_path / name), ("steps", "eval/ep_rew_mean"), rows)
    point, curve = tmp_path / "point.svg", tmp_path / "curve.svg"
    plot_runs([tmp_path], point, y="eval/ep_rew_mean")
    assert "paac, seed 1" in texts(point)
    assert markers(point) == 1
    plot_runs([write_run(tmp_path / "third")], curve)
    assert markers(curve) == 0


def test_the_legend_counts_runs_where_a_seed_occurs_twice(tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_pong(tmp_path / name, seed=seed)
        write_pong(tmp_path / f"{name}-breakout", seed=seed, id="ALE/Breakout-v5")
    plot_runs([tmp_path], tmp_path / "curve.svg")
    assert "paac, 3 runs" in texts(tmp_path / "curve.svg")
    plot_runs([tmp_path], tmp_path / "aggregate.svg", aggregate=True)
    assert "paac, 2 games, 3 runs" in texts(tmp_path / "aggregate.svg")


def test_the_aggregate_names_a_series_that_has_no_curve_yet(tmp_path):
    write_metrics(write_pong(tmp_path / "run"), COLUMNS, [(1, 2.0)])
    plot_runs([tmp_path], tmp_path / "curve.svg", aggregate=True)
    assert "paac, 1 game, 1 seed" in texts(tmp_path / "curve.svg")


def test_games_without_human_scores_are_not_aggregated(tmp_path):
    with pytest.raises(RunDirectoryError, match="CartPole-v1 has no known human score"):
        plot_runs([write_run(tmp_path / "run")], tmp_path / "curve.png", aggregate=True)


def test_series_of_one_game_never_share_a_label(tmp_path):
    for number, hidden in enumerate(([1], [2], [3])):
        for group in "ab":
            path = tmp_path / group / "a-name-of-a-group-that-is-too-long-for-any-legend-of-a-plot"
            path.mkdir(parents=True, exist_ok=True)
            config = load_config(
                {
                    "env": {"id": "CartPole-v1", "kwargs": {"word": 50 * "x" + group}},
                    "network": {"torso": "mlp", "hidden_sizes": hidden},
                    "training": {"total_steps": 100},
                },
                "test",
            )
            write_run(path / f"{number}-seed1")
            (path / f"{number}-seed1" / "config.yaml").write_text(to_yaml(config))
    runs = [SavedRun(path) for path in sorted(tmp_path.glob("*/*/*"))]
    labels = [one.label for one in sort_into_series(runs)]
    assert len(set(labels)) == len(labels) == 6
    assert all(label.startswith("paac in ") for label in labels)
