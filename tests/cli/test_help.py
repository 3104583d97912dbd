"""Every command explains itself, and answers before anything heavy is imported."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from paac_cli.cli.main import main

HEAVY = ("tensorflow", "matplotlib", "gymnasium", "ale_py")


def commands(group=main, path=()):
    """(path, command) of every command and subcommand."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands())


def test_all_commands_are_there():
    assert {path for path in COMMANDS if len(path) == 1} == {
        (name,) for name in ("train", "eval", "record", "verify", "plot", "bench", "presets")
    }
    assert {path[1] for path in COMMANDS if len(path) == 2} == {"list", "show", "copy", "validate", "schema"}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help(path):
    for option in ("--help", "-h"):
        result = CliRunner().invoke(main, [*path, option])
        assert result.exit_code == 0
        assert "Usage: main " + " ".join(path) in result.output
    assert COMMANDS[path].help
    assert COMMANDS[path].get_short_help_str()


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_every_option_and_argument_is_explained(path):
    command = COMMANDS.get(path, main)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            words = re.sub(r"\[[^]]*\]", "", parameter.help or "").strip()  # [default: x] is no explanation
            assert words, f"{parameter.opts[0]} has no help"
        else:
            name = re.sub(r"\W", "", parameter.make_metavar(click.Context(command)))
            assert name.lower() in command.help.lower(), f"{name} is not explained"


@pytest.mark.parametrize("args", [[], ["presets"]], ids=["paac", "paac presets"])
def test_a_group_alone_lists_its_commands(args):
    output = CliRunner().invoke(main, args).output
    for path in COMMANDS:
        if path[:-1] == tuple(args):
            assert re.search(rf"^  {path[-1]} +\w", output, re.MULTILINE)


def test_every_command_is_in_the_readme():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for path in COMMANDS:
        if len(path) == 1:
            assert f"paac {path[0]}" in readme


def test_version():
    assert re.match(r"paac, version \d", CliRunner().invoke(main, ["--version"]).output)


def imported_by(*args):
    """Top-level packages that a real `paac` process imports."""
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "paac_cli", *args], capture_output=True, text=True, check=False
    )
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["eval", "--help"],
        ["record", "--help"],
        ["verify", "--help"],
        ["plot", "--help"],
        ["bench", "--help"],
        ["presets", "--help"],
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(args):
    imported = imported_by(*args)
    assert "click" in imported
    assert imported.isdisjoint({*HEAVY, "pydantic", "numpy", "rich"})


@pytest.mark.parametrize(
    "args",
    [
        ["presets", "list"],
        ["presets", "show", "pong"],
        ["presets", "show", "pogn"],
        ["train", "--preset", "pogn"],
        ["train", "--preset", "pong", "--set", "algorithm.gama=1"],
        ["bench", "train", "--set", "algorithm.gama=1"],
    ],
    ids=" ".join,
)
def test_presets_and_config_errors_import_nothing_heavy(args):
    assert imported_by(*args).isdisjoint(HEAVY)


def test_a_run_that_is_not_there_is_missed_before_tensorflow_is_loaded():
    assert "tensorflow" not in imported_by("verify", "runs/nowhere")


def modules_after(code):
    """Top-level packages in a fresh interpreter after `code`."""
    code = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()}


def test_a_worker_imports_neither_tensorflow_nor_click():
    modules = modules_after("import paac_cli.sampling.worker")
    assert "paac_cli" in modules
    assert modules.isdisjoint({"tensorflow", "matplotlib", "click"})


def test_the_lower_floors_import_neither_tensorflow_nor_click():
    modules = modules_after(
        "import importlib, pkgutil, paac_cli\n"
        "for floor in ('config', 'envs', 'sampling'):\n"
        "    package = importlib.import_module(f'paac_cli.{floor}')\n"
        "    for module in pkgutil.iter_modules(package.__path__):\n"
        "        importlib.import_module(f'paac_cli.{floor}.{module.name}')\n"
    )
    assert {"gymnasium", "ale_py"} <= modules
    assert modules.isdisjoint({"tensorflow", "matplotlib", "click"})
