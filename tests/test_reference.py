"""The reference in the documentation: tables of settings and docs/commands.md, which a script makes from the code."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from command_reference import command_reference, walk_commands
from make_reference import LINKS, pages
from paac_cli.config.algorithms import ALGORITHM_CONFIGS, PpoConfig
from paac_cli.config.schema import NetworkConfig, RunConfig, SamplingConfig

ROOT = Path(__file__).parents[1]


def test_the_reference_is_made_from_the_code():
    stale = [path.relative_to(ROOT).as_posix() for path, text in pages().items() if path.read_text() != text]
    if stale:
        pytest.fail(f"{', '.join(stale)}: not as in the code; run `make reference`", pytrace=False)


def test_every_section_and_every_algorithm_has_a_table():
    made = {name for text in pages().values() for name in re.findall(r"<!-- settings: (\S+) -->", text)}
    assert made >= {*RunConfig.model_fields, *ALGORITHM_CONFIGS, "optimisers"} - {"algorithm"}


@pytest.mark.parametrize(
    ("page", "model", "key", "row"),
    [
        ("configuration.md", SamplingConfig, "close_timeout", "| `close_timeout` | `30.0` | {} |"),
        ("configuration.md", NetworkConfig, "torso", "| [`torso`](#networks) | required | {} |"),
        ("algorithms/ppo.md", PpoConfig, "clip_coef", "| `clip_coef` | `0.2` | {} |"),
    ],
)
def test_rows_of_settings_have_the_descriptions_as_they_are(page, model, key, row):
    assert row.format(model.model_fields[key].description) in pages()[ROOT / "docs" / page].splitlines()


def test_every_row_has_as_many_cells_as_the_header():
    for path, text in pages().items():
        for found in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in found.splitlines()}
            assert len(widths) == 1, f"{path.name}: {found}"


def test_links_are_those_of_settings():
    sections = {"algorithm": list(ALGORITHM_CONFIGS.values())}
    for key in LINKS:
        section, _, name = key.partition(".")
        models = sections.get(section) or [RunConfig.model_fields[section].annotation]
        assert any(name in model.model_fields for model in models), key


def test_the_script_restores_the_pages_without_tensorflow(tmp_path):
    docs = shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("img", "__pycache__"))
    (docs / "commands.md").unlink()
    page = docs / "algorithms" / "ppo.md"
    page.write_text(page.read_text().replace("| `0.2` |", "| `0.3` |"))
    command = [sys.executable, "-X", "importtime", docs / "make_reference.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["docs/algorithms/ppo.md", "docs/commands.md"]
    for path in ("algorithms/ppo.md", "commands.md"):
        assert (docs / path).read_text() == (ROOT / "docs" / path).read_text()
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "pydantic" in imported
    assert not imported & {"tensorflow", "gymnasium", "ale_py", "matplotlib"}


# --- commands


def sections():
    """Full name of a command -> its section of the page."""
    _, *parts = re.split(r"^#+ `(paac[^`]*)`\n", command_reference(), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize(
    ("name", "command"), list(walk_commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_has_a_section_with_its_options_and_examples(name, command):
    section = sections()[name]
    for option in command.params:
        if isinstance(option, click.Option):
            flags = " / ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
            assert re.search(rf"^\| {re.escape(flags)} \|.* \S.* \|$", section, re.MULTILINE), flags
    *_, title, examples = section.strip().split("\n\n")
    assert re.fullmatch(r"Examples?:", title)
    assert re.fullmatch(rf"```\n({name}\b.*\n)+```", examples)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("paac train", r"| `--preset` | `NAME\|FILE` | required | Name of a preset, or path of a YAML file. |"),
        ("paac train", "| `--seed` | integer | preset: `seed` | Seed of every random draw. |"),
        ("paac train", "| `--jobs` | `K` >= 1 | `1` | With `--seeds`: train `K` at a time. |"),
        ("paac eval", "| `--seed` | integer, 0 to 2^63 - 1 | `0` | Seed of the games and of sampled actions. |"),
        ("paac record", "| `--grid` | `ROWSxCOLUMNS` | | Games side by side, e.g. 3x3. |"),
        ("paac compare", "| `--format` | `text`, `markdown`, `csv`, `json` | `text` | Form of the output. |"),
    ],
)
def test_rows_of_options(name, row):
    assert row in sections()[name].splitlines()


def test_the_usage_has_required_options_and_arguments():
    assert "\nUsage: `paac train --preset NAME|FILE [OPTIONS]`\n" in sections()["paac train"]
    assert "\nUsage: `paac eval [OPTIONS] CHECKPOINT`\n" in sections()["paac eval"]
    assert "\nUsage: `paac presets copy NAME FILE`\n" in sections()["paac presets copy"]
