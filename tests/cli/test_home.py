"""`~` is the home directory also where the shell does not expand it, as in `--run-dir=~/x`."""

import shutil

import pytest
from expectations import assert_one_error

from short_runs import contents


@pytest.fixture
def home(tmp_path, monkeypatch):
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    return directory


@pytest.fixture
def run(home, trained_copy):
    return shutil.move(trained_copy, home / "run")


def test_every_argument_and_option_that_is_a_path_expands_it(run, home, invoke, tmp_path):
    assert invoke("presets", "copy", "cartpole", "~/mine.yaml").exit_code == 0
    assert (home / "mine.yaml").exists()
    assert invoke("presets", "show", "~/mine.yaml").exit_code == 0
    assert invoke("presets", "validate", "~/mine.yaml").exit_code == 0
    assert invoke("plot", "~/run", "--out=~/plots/x.svg").exit_code == 0
    assert (home / "plots" / "x.svg").exists()
    assert "is already trained" in invoke("train", "--preset=~/run/config.yaml", "--run-dir=~/run").stdout
    assert invoke("eval", "~/run", "--episodes", 1).exit_code == 0
    assert invoke("record", "~/x.gif", "--checkpoint=~/run", "--seconds", 0.1).exit_code == 0
    assert (home / "x.gif").exists()
    assert_one_error(invoke("verify", "~/nothing"), str(home / "nothing"))
    assert_one_error(invoke("bench", "sampler", "--preset=~/nothing.yaml"), "no such file: ~/nothing.yaml")
    assert {path.parts[0] for path in contents(tmp_path)} == {"home"}


def test_a_directory_of_that_name_and_unknown_users_are_paths_like_others(home, invoke, tmp_path):
    assert invoke("presets", "copy", "cartpole", "./~/mine.yaml").exit_code == 0
    assert (tmp_path / "~" / "mine.yaml").exists()
    assert_one_error(invoke("eval", "~no-such-user/run"), "~no-such-user/run")


@pytest.mark.parametrize("args", [["eval", ""], ["plot", ""], ["train", "--preset", "cartpole", "--run-dir", ""]])
def test_an_empty_path_is_not_the_current_directory(args, invoke, tmp_path):
    result = invoke(*args)
    assert result.exit_code == 2
    assert "a path must not be empty" in result.stderr
    assert not any(tmp_path.iterdir())
