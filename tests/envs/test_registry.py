"""Environments are found by their ids; the error of an unknown one suggests what may be meant."""

import importlib
import re
import sys
import warnings
from pathlib import Path

import gymnasium
import pytest

import odd_envs
from paac_cli.config.atari_names import find_atari, game_ids
from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import describe_env
from paac_cli.envs.registry import make_registered
from paac_cli.errors import EnvironmentSpecError

#: How messages name the module.
ODD_ENVS = f"module 'odd_envs' ({odd_envs.__file__})"


class Undeclared(gymnasium.Env):
    """Declares no render modes."""

    metadata = {}  # noqa: RUF012
    observation_space = action_space = gymnasium.spaces.Discrete(2)


def message(env_id, **kwargs):
    with pytest.raises(EnvironmentSpecError) as caught:
        describe_env(EnvConfig(id=env_id, kwargs=kwargs))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "env_id",
    [
        *("PongNoFrameskip-v4", "PongNoFrameskip-v0", "PongDeterministic-v4", "Pong-v5", "Pong-v4", "Pong-v0", "Pong"),
        *("Pong-ram-v4", "Pong-ramNoFrameskip-v4", "pong", "pong-v5", "ale/Pong-v5", "Pong-v5 "),
    ],
)
def test_the_ids_of_an_atari_game_in_other_libraries_suggest_its_id_here(env_id):
    """Also if ale-py, which registers some of them, has been imported, as in this process."""
    assert message(env_id) == (
        f"unknown environment {env_id!r}; did you mean ALE/Pong-v5? Atari games are written ALE/Name-v5, and "
        "env.protocol names their rules"
    )


@pytest.mark.parametrize(
    "env_id", ["ALE/PongNoFrameskip-v4", "ALE/Pong-ram-v5", "ALE/Pong-v4", "ALE/pong-v5", "ALE/Pong"]
)
def test_an_atari_game_that_is_almost_right_suggests_only_the_right_one(env_id):
    assert message(env_id) == f"unknown or unplayable Atari game {env_id!r}; did you mean ALE/Pong-v5?"


@pytest.mark.parametrize(
    ("name", "game"),
    [
        ("SpaceInvadersNoFrameskip-v4", "ALE/SpaceInvaders-v5"),
        ("space_invaders", "ALE/SpaceInvaders-v5"),
        ("MsPacman-ram-v0", "ALE/MsPacman-v5"),
        ("UpNDown-v4", "ALE/UpNDown-v5"),
        ("Pitfall2-v5", "ALE/Pitfall2-v5"),
        ("Pnog-v5", None),
        ("CartPole-v1", None),
        ("Combat-v5", None),
        ("", None),
    ],
)
def test_the_name_of_a_game_is_found_in_an_id(name, game):
    assert find_atari(name, game_ids()) == game


def test_every_atari_id_that_ale_py_registers_means_a_playable_game():
    legacy = [name for name, found in gymnasium.registry.items() if str(found.entry_point).startswith("ale_py")]
    assert len(legacy) > 300
    unplayable = re.compile(r"(ALE/)?(Combat|Joust|MazeCraze|Warlords)")
    unknown = [name for name in legacy if not unplayable.match(name) and find_atari(name, game_ids()) is None]
    assert unknown == []


@pytest.mark.parametrize(
    ("env_id", "suggested"),
    [
        ("CartPole", "CartPole-v1"),
        ("CartPole-v7", "CartPole-v1"),
        ("cartpole-v1", "CartPole-v1"),
        ("Lunar_Lander-v3", "LunarLander-v3"),
        ("Pnog-v5", "ALE/Pong-v5"),
    ],
)
def test_the_error_of_an_unknown_environment_suggests_the_nearest(env_id, suggested):
    text = message(env_id)
    assert text.startswith(f"unknown environment {env_id!r}; did you mean ")
    assert suggested in text


def test_an_unknown_environment_like_no_other_may_be_a_third_partys():
    own = "one of your own, or of another package, is written module:Name-v0"
    assert message("Xyzzy") == f"unknown environment 'Xyzzy'; {own}"
    assert message("CartPoel-v1").endswith(f"? O{own[1:]}")


@pytest.mark.parametrize(
    ("env_id", "expected"),
    [
        ("odd_envs:", "environment 'odd_envs:' is not written module:Name-v0"),
        (":Odd-v0", "environment ':Odd-v0' is not written module:Name-v0"),
        ("odd_envs:inner:Odd-v0", "environment 'odd_envs:inner:Odd-v0' is not written module:Name-v0"),
        (
            "no_such_module:Maze-v0",
            "no_such_module:Maze-v0: module 'no_such_module' cannot be imported: ModuleNotFoundError: No module named "
            "'no_such_module'; install its package, or put it into the current directory or on PYTHONPATH",
        ),
        (
            "odd_envs:OwnBufer-v0",
            f"odd_envs:OwnBufer-v0: {ODD_ENVS} registers no environment 'OwnBufer-v0'; did you mean "
            "odd_envs:OwnBuffer-v0",
        ),
        (
            "odd_envs:Maze-v0",
            f"odd_envs:Maze-v0: {ODD_ENVS} registers no environment 'Maze-v0'; did you mean "
            "odd_envs:Labyrinths/Maze-v0",
        ),
        (
            "odd_envs:Labyrinth/Mase-v0",
            f"odd_envs:Labyrinth/Mase-v0: {ODD_ENVS} registers no environment 'Labyrinth/Mase-v0'; did you mean "
            "odd_envs:Labyrinths/Maze-v0",
        ),
        (
            "odd_envs:Cellar-v0",
            f"odd_envs:Cellar-v0: {ODD_ENVS} registers no environment 'Cellar-v0'; did you mean "
            "odd_envs:Labyrinths/Cellar-v0",
        ),
        *(
            (
                f"odd_envs:{name}",
                f"odd_envs:{name}: {ODD_ENVS} registers no environment '{name}'; register its class with "
                "gymnasium.register('Odd-v0', entry_point=Odd) and use odd_envs:Odd-v0",
            )
            for name in ("Odd", "Odd-v1")
        ),
        ("odd_envs.py:Odd-v0", "odd_envs.py:Odd-v0: a module is written without .py: odd_envs:Odd-v0"),
        ("odd_envs:Odd Env", f"odd_envs:Odd Env: {ODD_ENVS} registers no environment 'Odd Env'"),
    ],
)
def test_the_error_of_a_third_partys_id_says_what_is_missing(env_id, expected):
    assert message(env_id).startswith(expected)


def test_a_module_that_fails_is_named_with_its_error(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_envs.py").write_text("import numpy.no_such_part\n")
    text = message("broken_envs:Maze-v0")
    assert text.startswith("broken_envs:Maze-v0: module 'broken_envs' cannot be imported: ModuleNotFoundError: ")
    assert "PYTHONPATH" not in text
    (tmp_path / "empty_error_envs.py").write_text("assert False\n")
    assert message("empty_error_envs:Maze-v0").endswith("cannot be imported: AssertionError")


def test_the_submodules_of_a_package_that_registers_nothing_itself_are_listed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("__init__", "_private", "envs", "wrappers"):
        (tmp_path / "quiet_package" / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / "quiet_package" / f"{name}.py").write_text("import odd_envs\n" if name == "envs" else "")
    assert message("quiet_package:Labyrinths/Maze-v9") == (
        f"quiet_package:Labyrinths/Maze-v9: module 'quiet_package' ({tmp_path}/quiet_package/__init__.py) registers no "
        "environment 'Labyrinths/Maze-v9'; it registers none itself: name the one of its modules that does "
        "(quiet_package.envs, quiet_package.wrappers)"
    )
    assert describe_env(EnvConfig(id="quiet_package.envs:Labyrinths/Maze-v0")).obs_shape == (1,)


def test_an_id_with_a_namespace_is_written_after_its_module():
    text = message("odd_envs/Maze-v0")
    assert text.startswith("unknown environment 'odd_envs/Maze-v0'")
    assert text.endswith(
        "ne of your own, or of another package, is written module:Name-v0, e.g. odd_envs:odd_envs/Maze-v0 if module "
        "'odd_envs' registers it"
    )
    assert describe_env(EnvConfig(id="odd_envs:Labyrinths/Maze-v0")).obs_shape == (1,)


def test_of_many_submodules_five_are_listed():
    text = message("email:Maze-v0")
    assert re.search(r"\(email\.\w+(, email\.\w+){4} and \d+ more\)$", text)


@pytest.mark.parametrize(
    ("module", "origin"), [("imp_or_not", "imp_or_not.py"), ("calendar", "calendar.py"), ("time", None)]
)
def test_a_file_that_another_module_of_its_name_hides_is_named(module, origin, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "imp_or_not.py").touch()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), str(tmp_path / "here")])
    monkeypatch.delitem(sys.modules, "imp_or_not", raising=False)
    Path(f"{module}.py").touch()
    found = importlib.import_module(module).__file__ if origin else "built into Python"
    assert found.endswith(origin or "")
    for name in ("Maze-v0", "Other-v1"):
        assert message(f"{module}:{name}") == (
            f"{module}:{name}: module '{module}' registers no environment '{name}'; module '{module}' is {found}, not "
            f"./{module}.py: rename your file"
        )


def test_a_file_that_was_imported_itself_is_not_hidden(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("not_hidden.py").touch()
    assert message("not_hidden:Maze-v0") == (
        f"not_hidden:Maze-v0: module 'not_hidden' ({tmp_path}/not_hidden.py) registers no environment 'Maze-v0'"
    )


@pytest.mark.parametrize(
    ("env_id", "example"),
    [
        ("./boxy.py", "boxy:Name-v0"),
        ("boxy.py", "boxy:Name-v0"),
        ("envs/boxy.py", "envs.boxy:Name-v0"),
        ("../boxy.py", "boxy:Name-v0"),
        ("/home/me/boxy.py", "boxy:Name-v0"),
    ],
)
def test_a_file_is_answered_with_its_module(env_id, example):
    expected = f"unknown environment {env_id!r}; write its module and an id that it registers, e.g. {example}"
    assert message(env_id) == expected
    assert message(f"{env_id}:Boxy-v0").endswith(
        f"a module is written without .py: {example.replace('Name-v0', 'Boxy-v0')}"
    )


def test_the_ids_of_the_documented_packages_suggest_their_modules():
    page = (Path(__file__).parents[2] / "docs" / "environments.md").read_text()
    ids = {found for found in re.findall(r"--env ([\w.]+:[\w./-]+)", page) if not found.startswith("third_party:")}
    assert len(ids) > 10
    for env_id in ids:
        name = env_id.partition(":")[2]
        assert message(name).startswith(f"unknown environment {name!r}; did you mean {env_id}? ")


@pytest.mark.parametrize("env_id", ["odd_envs:Versions-v1", "odd_envs:Versions-v3", "odd_envs:Versions"])
def test_an_id_of_a_module_may_leave_out_the_version(env_id):
    """Gymnasium then takes the latest."""
    assert describe_env(EnvConfig(id=env_id)).obs_shape == (1,)


@pytest.mark.parametrize(("kwargs", "name"), [({"gravitation": 9.81}, "gravitation"), ({"id": "x"}, "id")])
def test_the_error_of_an_unknown_argument_names_it(kwargs, name):
    assert re.fullmatch(rf"CartPole-v1 cannot be made: TypeError: .*'{name}'.*", message("CartPole-v1", **kwargs))


def test_the_error_of_a_missing_argument_says_how_to_give_it():
    def make(task):
        return gymnasium.make("CartPole-v1")

    gymnasium.register("Tasks-v0", entry_point=make)
    try:
        assert re.fullmatch(
            r"Tasks-v0 cannot be made: TypeError: .*'task'.*; env.kwargs holds its arguments", message("Tasks-v0")
        )
        assert describe_env(EnvConfig(id="Tasks-v0", kwargs={"task": "reach"})).obs_shape == (4,)
    finally:
        del gymnasium.registry["Tasks-v0"]


@pytest.mark.parametrize(
    ("env_id", "package", "extra"), [("LunarLander-v3", "Box2D", "box2d"), ("HalfCheetah-v5", "mujoco", "mujoco")]
)
def test_an_environment_without_its_optional_packages_says_how_to_install_them(env_id, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # so that it cannot be imported
    for module in [name for name in sys.modules if name.startswith(f"gymnasium.envs.{extra}")]:
        monkeypatch.delitem(sys.modules, module)
    assert message(env_id) == (
        f"{env_id} needs the optional packages '{extra}'; try: .venv/bin/pip install -e '.[{extra}]' in the clone, "
        f"elsewhere pip install '/path/to/clone[{extra}]'"
    )


def test_an_environment_that_declares_no_render_modes_is_made_without_a_warning():
    """Gymnasium would warn of each copy; `paac record` says what is missing."""
    gymnasium.register("Undeclared-v0", entry_point=Undeclared, disable_env_checker=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_registered(EnvConfig(id="Undeclared-v0"), None).close()
    assert caught == []


def test_an_atari_game_can_be_made_as_gymnasium_makes_it():
    spec = describe_env(EnvConfig(id="ale_py:ALE/Pong-v5", kwargs={"frameskip": 4}))
    assert spec.obs_shape == (210, 160, 3)
