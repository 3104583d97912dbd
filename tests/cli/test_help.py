"""Every command has help with an example, and help is printed before anything heavy is imported."""

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import click
import pytest
from click.testing import CliRunner

from command_reference import walk_commands
from marked_code import code_in, unmarked_code
from paac_cli.cli.main import main
from paac_cli.config.algorithms import BuiltInConfig

HEAVY = ("tensorflow", "matplotlib", "gymnasium", "ale_py")


#: Path -> command, of every command and subcommand.
COMMANDS = {tuple(name.split()[1:]): command for name, command in walk_commands() if command is not main}


def test_the_commands_are_these():
    assert {path for path in COMMANDS if len(path) == 1} == {
        (name,)
        for name in (
            *("train", "launch", "eval", "record", "watch", "verify"),
            *("runs", "plot", "compare", "report", "bench", "tune", "presets"),
        )
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


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_shows_no_range_without_bounds(path):
    assert "None" not in CliRunner().invoke(main, [*path, "--help"]).output


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_every_option_and_argument_is_explained(path):
    command = COMMANDS.get(path, main)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            text = re.sub(r"\[[^]]*\]", "", parameter.help or "").strip()  # a mere [default: x] explains nothing
            assert text, f"{parameter.opts[0]} has no help"
        else:
            name = re.sub(r"\W", "", parameter.make_metavar(click.Context(command)))
            assert name in " ".join(code_in(command.help)).split(), f"`{name}` is not explained"


def text_of(option):
    """The help of an option without the key that it sets, e.g. [env.id]."""
    return re.sub(r"  \[(?!default: )[^]]*\]$", "", option.help)


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_code_in_help_is_in_backticks(path):
    command = COMMANDS.get(path, main)
    for paragraph in inspect.cleandoc(command.help).split("\n\n"):
        assert paragraph.startswith("\b") or not unmarked_code(paragraph)
    for option in command.params:
        if isinstance(option, click.Option):
            assert not unmarked_code(text_of(option)), option.opts[0]


def examples(command):
    """The arguments of every example at the end of a command's help, without comments and redirections."""
    _, title, block = re.split(r"^(Examples?:)\n\n\x08\n", inspect.cleandoc(command.help), flags=re.MULTILINE)
    lines = block.splitlines()
    assert (title == "Example:") == (len(lines) == 1), title
    for line in lines:
        first, *args = shlex.split(line, comments=True)
        assert first == "paac", f"an example starts with paac: {line}"
        yield args[: args.index(">")] if ">" in args else args


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_help_ends_with_examples_of_the_command_which_click_can_parse(path):
    parsed = list(examples(COMMANDS.get(path, main)))
    assert parsed
    for args in parsed:
        assert tuple(args[: len(path)]) == path
        command, context = main, main.make_context("paac", [], resilient_parsing=True)
        while isinstance(command, click.Group):
            name, command, args = command.resolve_command(context, args)
            context = click.Context(command, parent=context, info_name=name)
        command.make_context(name, args, parent=context.parent)  # parses all options and arguments; runs nothing


@pytest.mark.parametrize("args", [[], ["presets"]], ids=["paac", "paac presets"])
def test_a_group_without_a_command_lists_its_commands(args):
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
    """Top-level packages that a real `paac` process with these arguments imports."""
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
        ["report", "--help"],
        ["bench", "--help"],
        ["presets", "--help"],
        ["presets", "list"],
        ["presets", "show", "pong"],
    ],
    ids=" ".join,
)
def test_help_and_presets_import_nothing_heavy(args):
    imported = imported_by(*args)
    assert "click" in imported
    assert imported.isdisjoint({*HEAVY, "pydantic", "numpy", "rich"})


@pytest.mark.parametrize(
    "args",
    [
        ["presets", "show", "pogn"],
        ["train", "--preset", "pogn"],
        ["train", "--preset", "pong", "--set", "algorithm.gama=1"],
        ["bench", "train", "--set", "algorithm.gama=1"],
    ],
    ids=" ".join,
)
def test_config_errors_import_nothing_heavy(args):
    assert imported_by(*args).isdisjoint(HEAVY)


def test_a_missing_run_is_reported_before_tensorflow_is_imported():
    assert "tensorflow" not in imported_by("verify", "runs/nowhere")


def modules_after(code):
    """Top-level packages that a fresh interpreter has imported after `code`."""
    code = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()}


def test_a_worker_imports_neither_tensorflow_nor_click():
    modules = modules_after("import paac_cli.sampling.worker")
    assert "paac_cli" in modules
    assert modules.isdisjoint({"tensorflow", "matplotlib", "click"})


def test_the_lower_packages_import_neither_tensorflow_nor_click():
    modules = modules_after(
        "import importlib, pkgutil, paac_cli\n"
        "for name in ('config', 'envs', 'runs', 'sampling'):\n"
        "    package = importlib.import_module(f'paac_cli.{name}')\n"
        "    for module in pkgutil.iter_modules(package.__path__):\n"
        "        importlib.import_module(f'paac_cli.{name}.{module.name}')\n"
    )
    assert {"gymnasium", "ale_py"} <= modules
    assert modules.isdisjoint({"tensorflow", "matplotlib", "click"})


def test_the_help_of_train_names_every_algorithm():
    option = next(one for one in COMMANDS["train",].params if one.name == "algorithm")
    names = [config.model_fields["name"].default for config in get_args(BuiltInConfig)]
    assert set(names) <= set(code_in(option.help))
