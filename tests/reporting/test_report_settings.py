"""What a report says of a run's settings, and the command that trains it again."""

import json
import shlex

import pytest
from reported_runs import EVIL, page_of, text_of, write_checkpoint, write_run

from chaos.save_scenes import some_checkpoint
from paac_cli.config.load import load_run, parse_assignments
from paac_cli.config.presets import find_preset
from paac_cli.reporting.report.settings import Difference, compare_with_preset, train_command
from paac_cli.runs.saved_run import SavedRun


def compared(tmp_path, preset, overrides, **record):
    run = write_run(tmp_path / "run", preset=preset, overrides=overrides, **record)
    return compare_with_preset(SavedRun(run))


def test_a_run_of_a_preset_differs_in_nothing_but_its_seed(tmp_path):
    comparison = compared(tmp_path, "cartpole", {"seed": 7})
    assert comparison.differences == ()
    assert train_command(comparison, [7]) == "paac train --preset cartpole --seed 7"


def test_differences_are_listed_and_the_command_repeats_them(tmp_path):
    overrides = {"algorithm.gamma": 0.9, "sampling.num_workers": 1, "training.stop_when": None}
    comparison = compared(tmp_path, "cartpole", overrides)
    assert list(comparison.differences) == [
        Difference("sampling.num_workers", "auto", 1),
        Difference("algorithm.gamma", 0.98, 0.9),
        Difference("training.stop_when", {"mean_return": 475.0, "episodes": 100}, None),
    ]
    assert {each.key for each in comparison.differences if each.is_free} == {
        "sampling.num_workers",
        "training.stop_when",
    }
    assert train_command(comparison, [1, 2, 3, 7]) == (
        "paac train --preset cartpole --seeds 1-3,7 --set sampling.num_workers=1 \\\n"
        "  --set algorithm.gamma=0.9 --set training.stop_when=null"
    )


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("cartpole", {"algorithm": {"name": "ppo"}, "algorithm.num_epochs": 3}),
        ("breakout", {"algorithm": {"name": "ppo"}, "algorithm.optimizer": {"name": "adam", "epsilon": 1e-07}}),
        ("dqn/acrobot", {"algorithm.optimizer": {"name": "adam", "epsilon": 1e-07, "beta_1": 0.8}}),
        ("cartpole", {"env.id": "Acrobot-v1"}),
        ("cartpole", {"env.id": "Acrobot-v1", "training.stop_when": {"mean_return": 475, "episodes": 100}}),
        ("pong", {"algorithm.optimizer": {"name": "adam"}, "network.recurrent": {"cell": "lstm"}}),
        ("pong", {"env.id": "ALE/Qbert-v5", "env.mode": 0, "algorithm.learning_rate": 1e-05}),
        ("cartpole", {"env.kwargs": {"sutton_barto_reward": True}, "env.wrappers": ["FlattenObservation"]}),
        ("cartpole", {"env.kwargs": {"title": "it's 1e3; $HOME", "b": [1, "2"]}, "training.info_keys": ["a", "b"]}),
    ],
)
def test_the_command_gives_the_same_config(preset, overrides, tmp_path):
    """As a shell would split it, and `paac train` would read it."""
    run = write_run(tmp_path / "run", preset=preset, overrides=overrides)
    comparison = compare_with_preset(SavedRun(run))
    words = shlex.split(train_command(comparison, [1]).replace("\\\n", " "))
    pairs = list(zip(words[2::2], words[3::2], strict=True))
    options = dict(pairs)
    given = {"algorithm": {"name": options["--algorithm"]}} if "--algorithm" in options else {}
    given |= parse_assignments(value for option, value in pairs if option == "--set")
    given |= {"env.id": options["--env"]} if "--env" in options else {}
    assert options["--preset"] == preset
    assert load_run(find_preset(preset), given) == SavedRun(run).config


def test_what_no_override_can_say_is_reproduced_from_the_config(tmp_path):
    comparison = compared(tmp_path, "cartpole", {"env.kwargs": {"a.b": 1}})
    assert comparison.overrides is None
    assert train_command(comparison, [1]) == "paac train --preset config.yaml --seed 1"


@pytest.mark.parametrize("preset", ["", "mine.yaml", "/etc/passwd", "../pong", EVIL])
def test_a_preset_that_does_not_ship_is_not_read(preset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("seed: 1\n")
    run = write_run(tmp_path / "run")
    (run / "run.json").write_text(json.dumps({"preset": preset, "status": "finished"}))
    comparison = compare_with_preset(SavedRun(run))
    assert (comparison.differences, comparison.overrides) == (None, None)
    assert "paac train --preset config.yaml --seed 1" in page_of(run, tmp_path)


def test_a_third_party_algorithm_is_not_imported(tmp_path):
    run = write_run(tmp_path / "run")
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("name: paac", "name: no_such_module:Class"))
    page = text_of(page_of(run, tmp_path))
    assert "no_such_module:Class on CartPole-v1" in page
    assert "paac train --preset config.yaml --seed 1" in page


def test_a_run_in_several_ranks_is_launched(tmp_path):
    run = write_run(tmp_path / "run")
    runtime = some_checkpoint(1).runtime
    write_checkpoint(run, 3000, 30.0, runtime=runtime.model_copy(update={"others": (runtime,)}))
    assert "paac launch --ranks 2 -- train --preset cartpole --seed 1" in text_of(page_of(run, tmp_path))
