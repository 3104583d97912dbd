"""The presets that ship with paac: all load, and those of the paper have the paper's settings."""

import pytest

from paac_cli.config.load import read_config
from paac_cli.config.presets import find_preset, preset_names, presets_directory, read_preset
from paac_cli.errors import ConfigError

PAPER_GAMES = {
    "amidar": "ALE/Amidar-v5",
    "beam_rider": "ALE/BeamRider-v5",
    "boxing": "ALE/Boxing-v5",
    "breakout": "ALE/Breakout-v5",
    "centipede": "ALE/Centipede-v5",
    "ms_pacman": "ALE/MsPacman-v5",
    "name_this_game": "ALE/NameThisGame-v5",
    "pong": "ALE/Pong-v5",
    "qbert": "ALE/Qbert-v5",
    "seaquest": "ALE/Seaquest-v5",
    "space_invaders": "ALE/SpaceInvaders-v5",
    "up_n_down": "ALE/UpNDown-v5",
}


def paper(name):
    return read_config(find_preset(f"paper/{name}"))


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads(name):
    assert read_config(find_preset(name)).training.total_steps > 0


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_begins_with_a_summary_and_the_command_that_runs_it(name):
    summary, command, *_ = read_preset(name).splitlines()
    assert summary.startswith("# ")
    assert command == f"# paac train --preset {name}"


def test_names_are_sorted_paths_without_the_suffix():
    names = preset_names()
    assert {"cartpole", "pong", "paper/pong"} <= set(names)
    assert names == sorted(names)
    assert all((presets_directory() / f"{name}.yaml").is_file() for name in names)


def test_a_preset_is_found_by_name_or_by_path(tmp_path):
    assert find_preset("paper/pong") == presets_directory() / "paper" / "pong.yaml"
    own = tmp_path / "own.yaml"
    own.touch()
    assert find_preset(str(own)) == own


@pytest.mark.parametrize(("wrong", "right"), [("pnog", "pong"), ("cartpol", "cartpole"), ("paper/pogn", "paper/pong")])
def test_the_error_of_an_unknown_preset_suggests_the_nearest(wrong, right):
    with pytest.raises(ConfigError) as caught:
        find_preset(wrong)
    text = str(caught.value)
    assert f"unknown preset {wrong!r}; did you mean " in text
    assert right in text.partition("did you mean ")[2].partition("?")[0].split(", ")


def test_a_name_before_a_slash_suggests_the_presets_behind_it():
    for name in ("paac", "paac/"):
        with pytest.raises(ConfigError) as caught:
            find_preset(name)
        assert str(caught.value) == f"unknown preset {name!r}; did you mean paac/acrobot or paac/cartpole-positions?"


def test_a_path_without_its_suffix_suggests_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "result").mkdir(parents=True)
    for file, name in (("runs/result/config.yaml", "runs/result"), ("my.yaml", "my"), ("mine.yml", "mine")):
        (tmp_path / file).touch()
        with pytest.raises(ConfigError) as caught:
            find_preset(name)
        assert str(caught.value) == f"unknown preset {name!r}; did you mean {file}?"
    with pytest.raises(ConfigError, match=r"no such file: pong.yaml; did you mean pong, a preset"):
        find_preset("pong.yaml")


@pytest.mark.parametrize("name", ["", "../presets/pong", "/etc/passwd", "paper", "pong.yaml", "paper/", "PONG"])
def test_only_shipped_names_and_paths_of_yaml_files_are_presets(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"unknown preset|no such file"):
        find_preset(name)


def test_the_paper_has_twelve_games():
    shipped = {name.removeprefix("paper/") for name in preset_names() if name.startswith("paper/")}
    assert shipped == set(PAPER_GAMES)


@pytest.mark.parametrize("name", PAPER_GAMES)
def test_presets_of_the_paper_differ_only_in_the_game(name):
    config, pong = paper(name), paper("pong")
    assert config.env.id == PAPER_GAMES[name]
    assert config.model_copy(update={"env": pong.env}) == pong
    assert config.env.model_copy(update={"id": pong.env.id}) == pong.env


def test_presets_of_the_paper_have_the_settings_of_the_paper():
    config = paper("pong")
    algorithm, optimizer = config.algorithm, config.algorithm.optimizer
    assert config.env.protocol == "paac2017"
    assert config.sampling.num_envs == 32
    assert algorithm.num_steps == 5
    assert algorithm.gamma == 0.99
    assert algorithm.gae_lambda == 1.0
    assert not algorithm.normalize_advantage
    assert algorithm.learning_rate == 0.0224
    assert algorithm.lr_anneal_steps == 80_000_000
    assert algorithm.ent_coef == 0.01
    assert algorithm.vf_coef == 0.25
    assert algorithm.loss_scale == 5
    assert algorithm.max_grad_norm == 40
    assert (optimizer.name, optimizer.decay, optimizer.epsilon) == ("rmsprop", 0.99, 0.1)
    assert (optimizer.momentum, optimizer.initial_mean_square) == (0.0, 1.0)
    assert (config.network.torso, config.network.initializer) == ("nips", "fan_in_uniform")
