"""Documentation and code agree: commands, options, keys, defaults, links, paths and tables."""

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

from command_reference import walk_commands
from marked_code import code_in
from paac_cli.cli.main import main
from paac_cli.config import yaml_io
from paac_cli.config.algorithms import AlgorithmConfig, DqnConfig, NstepQConfig, PaacConfig, PpoConfig, SacConfig
from paac_cli.config.env import EnvConfig
from paac_cli.config.load import parse_assignments, read_config
from paac_cli.config.presets import find_preset, preset_names
from paac_cli.config.schema import (
    FREE_ON_RESUME,
    InitFrom,
    NetworkConfig,
    RunConfig,
    SamplingConfig,
    TrainingConfig,
)
from paac_cli.envs.rules import RULE_SETS
from paac_cli.runs.metrics_csv import METRICS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "paac_cli"
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
CONFIGURATION, METRICS_PAGE = ROOT / "docs" / "configuration.md", ROOT / "docs" / "metrics.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [README, CONTRIBUTING, ROOT / "CHANGELOG.md", *DOCS]
ALGORITHMS = {"paac": PaacConfig, "ppo": PpoConfig, "nstep_q": NstepQConfig, "dqn": DqnConfig, "sac": SacConfig}
SECTIONS = {
    "env": EnvConfig,
    "sampling": SamplingConfig,
    "network": NetworkConfig,
    "training": TrainingConfig,
    "init_from": InitFrom,
}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


# --- reading Markdown


def fences(text):
    """The lines of fenced blocks, without their comments."""
    inside = False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside:
            yield line.partition(" #")[0].strip()


def inline_code(text):
    """The contents of `...` outside of fenced blocks."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def section(page, heading):
    """The text between `heading` and the next heading of the same or a higher level."""
    level = heading.partition(" ")[0]
    text = page.read_text()
    start = re.search(rf"^{re.escape(heading)}$", text, re.MULTILINE)
    assert start, f"{page.name} has no heading {heading!r}"
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{len(level)}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def table(text):
    """The rows of the first table in `text`, as lists of cells, without its header."""
    lines = [line for line in text.splitlines()]
    first = next(index for index, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))])
    return rows[2:]


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


# --- the front page


def test_the_readme_is_a_front_page():
    assert len(README.read_text().splitlines()) <= 150


def test_the_readme_leads_to_every_page():
    """Each page is linked from the README, or from the index of its directory, which is."""
    linked = {(README.parent / link).resolve() for link in links(README)}
    index = ROOT / "docs" / "algorithms" / "README.md"
    linked |= {(index.parent / link).resolve() for link in links(index)}
    assert set(DOCS) <= linked


# --- links and paths


def links(page):
    """Relative links and images, without their anchors."""
    text = page.read_text()
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    return [link.partition("#")[0] for link in found if "://" not in link and not link.startswith("#")]


@each_page
def test_relative_links_resolve(page):
    for link in links(page):
        assert (page.parent / link).exists(), f"{page.name}: {link}"


@each_page
def test_anchors_exist(page):
    for link in re.findall(r"\]\(([^)\s]+#[^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" not in link:
            target = (page.parent / path).resolve() if path else page
            assert anchor in anchors(target), f"{page.name}: {link}"


@each_page
def test_paths_in_the_source_exist(page):
    text = page.read_text()
    for path in re.findall(r"\bsrc/[\w/.-]*[\w/]", text):
        assert (ROOT / path).exists(), f"{page.name}: {path}"
    for path in inline_code(text):
        if re.fullmatch(r"[\w/]+/(\w+\.py)?", path):
            places = (SOURCE / path, ROOT / path, ROOT / "docs" / path)
            generated = path.startswith(("checkpoints/", "tensorboard/", "videos/", "runs/", "paper/"))
            assert generated or any(place.exists() for place in places), f"{page.name}: {path}"


@each_page
def test_make_targets_exist(page):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    for code in [*inline_code(text), *fences(text)]:
        if found := re.match(r"make (\w+)", code):
            assert found[1] in targets, f"{page.name}: {code}"


# --- commands


def command_lines(text):
    """The arguments of `paac` on every line of fenced blocks that runs it, without redirections."""
    for line in fences(text):
        if found := re.match(r"(?:srun |\S*/)?paac (.*)", line):
            yield found[1].partition(" > ")[0]


def find_command(words):
    """The Click command that `words` name, its name, and the words that are left."""
    command, words, name = main, list(words), "paac"
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"no command {name}"
        command = found
    return command, name, words


@each_page
def test_command_lines_parse(page):
    for line in command_lines(page.read_text()):
        command, name, words = find_command(shlex.split(line))
        try:
            command.make_context(name, words, parent=main.make_context("paac", [], resilient_parsing=True))
        except (click.UsageError, AssertionError) as error:
            pytest.fail(f"{page.name}: paac {line}: {error}")


@each_page
def test_overrides_on_command_lines_are_valid(page, monkeypatch):
    """Every `--preset`, `--set` and flag of `paac train` and `paac bench` gives a config, but for code of your own."""
    flags = {"--env": "env.id", "--num-envs": "sampling.num_envs", "--num-workers": "sampling.num_workers"}
    flags |= {"--seed": "seed", "--total-steps": "training.total_steps"}
    for line in command_lines(page.read_text()):
        _, name, words = find_command(shlex.split(line))
        if name not in ("train", "bench") or re.search(r"\w+:\w+|\.yaml|--sweep", line):
            continue
        pairs = list(pairwise(words))
        preset = next((value for option, value in pairs if option == "--preset"), "pong")
        algorithm = [value for option, value in pairs if option == "--algorithm"]
        overrides = {"algorithm": {"name": algorithm[0]}} if algorithm else {}
        overrides |= parse_assignments(value for option, value in pairs if option == "--set")
        overrides |= {flags[option]: yaml_io.parse(value, option) for option, value in pairs if option in flags}
        assert isinstance(read_config(find_preset(preset), overrides), RunConfig), f"{page.name}: paac {line}"


@each_page
def test_commands_and_options_in_the_text_exist(page):
    for code in inline_code(page.read_text()):
        if not code.startswith("paac ") or code == "paac COMMAND --help":
            continue
        command, _, words = find_command(shlex.split(code.removeprefix("paac ")))
        known = {"--help", *(option for parameter in command.params for option in parameter.opts)}
        for word in words:
            if word.startswith("-"):
                assert word.partition("=")[0] in known, f"{page.name}: {code}"


@each_page
def test_options_that_stand_alone_exist(page):
    known = {"--memory", "--help"}  # the first is Docker's
    for _, command in walk_commands():
        known |= {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for code in inline_code(page.read_text()):
        if found := re.match(r"--[a-z-]+", code):
            assert found[0] in known, f"{page.name}: {code}"


# --- configuration


def models_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def keys(model, prefix=""):
    """All dotted keys under a config class; `*` below a dict."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for inner in models_in(field.annotation):
            yield from keys(inner, f"{prefix}{name}.")
        if "dict[" in str(field.annotation):
            yield f"{prefix}{name}.*"


KEYS = set(keys(RunConfig)) | {f"algorithm.{key}" for model in ALGORITHMS.values() for key in keys(model)}


def is_key(key):
    return key in KEYS or f"{key.rpartition('.')[0]}.*" in KEYS


@each_page
def test_dotted_keys_exist(page):
    text = page.read_text()
    for key in re.findall(r"(?<![\w/.])(?:env|sampling|algorithm|network|training)(?:\.[a-z_]+)+", text):
        if not key.endswith((".safetensors", ".py")):
            assert is_key(key), f"{page.name}: {key}"


def assert_settings(rows, model):
    """rows: `key`, default, meaning; all fields of `model` but `name`, with a text that YAML reads as the default.

    Dotted keys are those of a section in the section.
    """
    fields = {name: field for name, field in model.model_fields.items() if name != "name"}
    rows = [cells for cells in rows if "." not in code_in(cells[0])[0]]
    assert [code_in(cells[0])[0] for cells in rows] == list(fields)
    for (name, field), cells in zip(fields.items(), rows, strict=True):
        if field.is_required():
            assert cells[1] == "required", name
            continue
        (default,) = code_in(cells[1])
        expected = field.get_default(call_default_factory=True)
        given = yaml_io.parse(default, name)
        if isinstance(expected, BaseModel):
            given = type(expected).model_validate(given)
        elif isinstance(expected, tuple):
            given = tuple(given)
        assert given == expected, f"{name}: {default} in the docs, {expected!r} in the code"


@pytest.mark.parametrize("name", SECTIONS)
def test_sections_are_documented(name):
    assert_settings(table(section(CONFIGURATION, f"## `{name}`")), SECTIONS[name])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_algorithms_are_documented(name):
    page = ROOT / "docs" / "algorithms" / f"{name}.md"
    assert_settings(table(section(page, "## Settings")), ALGORITHMS[name])


def test_there_is_a_page_for_every_algorithm():
    own = {model for model in AlgorithmConfig.__subclasses__() if model.__module__ == AlgorithmConfig.__module__}
    assert own == set(ALGORITHMS.values())


def test_the_table_of_what_may_change_on_resume():
    rows = table(section(CONFIGURATION, "## What may change on resume"))
    assert {code_in(cells[0])[0] for cells in rows} == FREE_ON_RESUME


def test_the_table_of_presets():
    rows = table(section(CONFIGURATION, "## Presets"))
    assert sorted(name for cells in rows for name in code_in(cells[0])) == preset_names()


@each_page
def test_presets_that_are_named_exist(page):
    text = page.read_text()
    text = text.replace("--preset NAME|FILE", "")  # in the usage of a command
    for name in re.findall(r"--preset ([\w/.-]+)", text) + re.findall(r"presets/([\w/]+)\.yaml", text):
        assert name.endswith(".yaml") or name in preset_names(), f"{page.name}: {name}"


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_preset_of_an_algorithm_is_on_its_page(name):
    page = ROOT / "docs" / "algorithms" / f"{name}.md"
    listed = {code for cells in table(section(page, "## Presets and results")) for code in code_in(cells[0])}
    ours = {preset for preset in preset_names() if read_config(find_preset(preset)).algorithm.name == name}
    assert {preset for preset in ours if not preset.startswith("paper/")} == {
        preset for preset in listed if not preset.startswith("paper/")
    }


def leaves(section, prefix=""):
    """Dotted key -> value."""
    found = {}
    for name, value in section.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def test_the_table_of_settings_beside_the_papers_is_complete():
    page = ROOT / "docs" / "algorithms" / "paac.md"
    rows = table(section(page, "### The paper's settings beside those of our presets"))
    names = ("paper/pong", "pong", "breakout")
    presets = [leaves(read_config(find_preset(name)).model_dump(mode="json")) for name in names]
    listed = {code_in(key)[0]: [yaml_io.parse(code_in(cell)[0], key) for cell in cells] for key, _, *cells, _ in rows}
    values = {key: [preset.get(key) for preset in presets] for key in presets[0]}
    different = {key: of_all for key, of_all in values.items() if any(value != of_all[0] for value in of_all)}
    not_of_learning = ("env.id", "training.checkpoint_every", "training.stop_when")
    assert listed == {key: of_all for key, of_all in different.items() if not key.startswith(not_of_learning)}


def test_the_table_of_rule_sets():
    rows = table(section(CONFIGURATION, "## Atari rule sets"))
    assert [code_in(cells[0])[0] for cells in rows] == list(RULE_SETS)
    for cells in rows:
        rules = RULE_SETS[code_in(cells[0])[0]]
        lowest, highest = rules.noops
        assert cells[1:] == [
            f"{rules.sticky:g}",
            "full" if rules.full_action_set else "minimal",
            "yes" if rules.life_loss_terminates else "no",
            "yes" if rules.fire_on_reset else "no",
            f"{lowest}-{highest}" if highest else "none",
            rules.resize,
        ]


# --- metrics


def test_the_table_of_metrics():
    rows = table(section(METRICS_PAGE, "## Columns of every run"))
    assert {code_in(cells[0])[0]: cells[1] for cells in rows} == METRICS


def test_the_table_of_the_algorithms_metrics():
    rows = table(section(METRICS_PAGE, "## Columns of the algorithms"))
    listed = {code_in(cells[0])[0]: cells[2] for cells in rows}
    found = {}
    for name in ALGORITHMS:
        text = "".join((SOURCE / module).read_text() for module in (f"algorithms/{name}.py", "learning/optimizers.py"))
        for metric in re.findall(r'"(train/\w+)"', text):
            found.setdefault(metric, set()).add(name)
    assert {
        metric: set(ALGORITHMS) if cell == "all" else set(code_in(cell)) for metric, cell in listed.items()
    } == found
