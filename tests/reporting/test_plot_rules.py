"""Curves under different rules are not plotted together."""

import pytest
from plain_run import write_run

from paac_cli.config.load import load_config, to_yaml
from paac_cli.errors import RunDirectoryError
from paac_cli.reporting.plot import plot_runs


def write_pong(directory, **env):
    """A run of Pong with these settings of `env`."""
    config = load_config(
        {
            "env": {"id": "ALE/Pong-v5", **env},
            "network": {"torso": "nips"},
            "training": {"total_steps": 100},
        },
        "test",
    )
    write_run(directory)
    (directory / "config.yaml").write_text(to_yaml(config))
    return directory


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"mode": 1}, "rule set baselines, mode 1"),
        ({"difficulty": 2}, "rule set baselines, difficulty 2"),
        ({"protocol": "paac2017"}, "rule set paac2017"),
    ],
)
def test_other_rules_are_not_plotted_together(setting, name, tmp_path):
    runs = [write_pong(tmp_path / "one"), write_pong(tmp_path / "other", **setting)]
    with pytest.raises(RunDirectoryError) as caught:
        plot_runs(runs, tmp_path / "curve.svg")
    assert f"ALE/Pong-v5 ({name})" in str(caught.value)
    assert "are not comparable" in str(caught.value)


def test_a_plot_names_the_mode_and_draws_no_published_score_of_another(tmp_path):
    text = {}
    for name, setting in [("default", {}), ("mode", {"mode": 1})]:
        plot_runs([write_pong(tmp_path / name, **setting)], tmp_path / f"{name}.svg")
        text[name] = (tmp_path / f"{name}.svg").read_text()
    assert "<!-- ALE/Pong-v5, rule set baselines -->" in text["default"]
    assert "PAAC paper" in text["default"]
    assert "<!-- ALE/Pong-v5, rule set baselines, mode 1 -->" in text["mode"]
    assert "PAAC paper" not in text["mode"]
