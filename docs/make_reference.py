"""Writes the reference in the documentation: `make reference`.

A setting is explained by its description in `src/paac_cli/config`, and an option by its help in `src/paac_cli/cli`.
These texts are Markdown, with code in backticks. They are copied into the tables between `<!-- settings: NAME -->` and
`<!-- end -->`, and into the page `docs/commands.md`.
"""

import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from command_reference import code, command_reference
from paac_cli.config.algorithms import ALGORITHM_CONFIGS
from paac_cli.config.optimizers import OptimizerConfig
from paac_cli.config.schema import RunConfig
from paac_cli.reporting.tables import format_markdown

DOCS = Path(__file__).resolve().parent
COMMANDS = DOCS / "commands.md"
_HEADER = ("default", "meaning")

#: Config class of an optimiser -> its name.
OPTIMIZERS = {model: model.model_fields["name"].default for model in get_args(get_args(OptimizerConfig)[0])}

#: Key of a setting -> the page, and perhaps the heading, that says more about it.
LINKS = {
    "env.id": "configuration.md#environments",
    "env.protocol": "configuration.md#atari-rule-sets",
    "env.mode": "configuration.md#atari-rule-sets",
    "env.difficulty": "configuration.md#atari-rule-sets",
    "env.wrappers": "configuration.md#wrappers",
    "env.action_mask": "algorithms/action-masks.md",
    "env.fresh_per_episode": "configuration.md#state-across-games",
    "env.channels": "configuration.md#images",
    "env.grayscale": "configuration.md#images",
    "env.resize": "configuration.md#images",
    "env.frame_stack": "configuration.md#images",
    "sampling.overlap": "configuration.md#overlap",
    "algorithm.on_kl": "algorithms/ppo.md#implementation-details",
    "algorithm.hl_gauss": "algorithms/nstep_q.md#values-over-bins",
    "algorithm.save_buffer": "reliability.md#exactness",
    "algorithm.optimizer": "configuration.md#optimisers",
    "network.torso": "configuration.md#networks",
    "network.torsos": "configuration.md#networks",
    "network.recurrent": "algorithms/recurrent.md",
    "network.precision": "configuration.md#networks",
    "training.keep_milestones": "playing.md#record-a-video",
    "training.evaluate_every": "metrics.md#evaluations",
    "training.info_keys": "metrics.md#columns-of-every-run",
    "training.trackers": "trackers.md",
    "training.device": "configuration.md#gpu",
    "training.deterministic": "reliability.md#exactness",
}


def main() -> None:
    """Write the pages that differ from the code, and print their names."""
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            click.echo(path.relative_to(DOCS.parent))


def pages() -> dict[Path, str]:
    """Path -> text, as it should be, of each page that is made from the code or has tables that are."""
    texts = {path: path.read_text() for path in sorted(DOCS.rglob("*.md")) if path != COMMANDS}
    with_tables = {path: _fill(text, path) for path, text in texts.items() if "<!-- settings: " in text}
    return {**with_tables, COMMANDS: command_reference()}


def _fill(text: str, page: Path) -> str:
    """The text of `page` with its tables made anew. Raises KeyError for a table that does not exist."""

    def make(found: re.Match[str]) -> str:
        made = _optimisers() if found[2] == "optimisers" else _settings(found[2], page)
        return f"{found[1]}\n\n{made}\n\n{found[3]}"

    return re.sub(r"(<!-- settings: ([\w.]+) -->)\n.*?(<!-- end -->)", make, text, flags=re.DOTALL)


def _settings(name: str, page: Path) -> str:
    """The table `name`, for `page`: a top-level key, the key of a section, or the name of an algorithm."""
    if name in ALGORITHM_CONFIGS:
        section, rows = "algorithm", list(_rows(ALGORITHM_CONFIGS[name], "algorithm."))
    else:
        section, rows = name, [row for row in _rows(RunConfig) if row[0].startswith(f"{name}.")]
    if not rows:
        return format_markdown(["key", *_HEADER], [[code(name), *_default_and_meaning(RunConfig.model_fields[name])]])
    shown = [(_linked(key, key.removeprefix(f"{section}."), page), *_default_and_meaning(field)) for key, field in rows]
    return format_markdown([f"key under {code(section)}", *_HEADER], shown)


def _rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """(dotted key, field) of all settings of a config class, and of the sections in it."""
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if name != "name":
            yield f"{prefix}{name}", field
        if section is not None:
            yield from _rows(section, f"{prefix}{name}.")


def _section(annotation: Any) -> type[BaseModel] | None:
    """The config class of a section, which may also be null."""
    models = [part for part in get_args(annotation) or [annotation] if inspect.isclass(part)]
    models = [model for model in models if issubclass(model, BaseModel)]
    return models[0] if len(models) == 1 else None


def _linked(key: str, shown: str, page: Path) -> str:
    if key not in LINKS:
        return code(shown)
    target, _, heading = LINKS[key].partition("#")
    path = "" if DOCS / target == page else os.path.relpath(DOCS / target, page.parent)
    return f"[{code(shown)}]({path}{'#' if heading else ''}{heading})"


def _default_and_meaning(field: FieldInfo) -> tuple[str, str]:
    default = "required" if field.is_required() else code(_yaml(field.get_default(call_default_factory=True)))
    return default, field.description or ""


def _yaml(value: Any) -> str:
    """A default as one writes it in a preset."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            return f"{value:_}"
        case float() if value and not 1e-3 <= abs(value) < 1e4:
            mantissa, _, exponent = f"{value:e}".partition("e")
            return f"{float(mantissa):g}e{int(exponent)}"
        case tuple():
            return f"[{', '.join(map(_yaml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {_yaml(each)}' for key, each in value.items())}}}"
        case BaseModel():
            changed = value.model_dump(exclude_defaults=True)
            return _yaml({"name": value.name} | changed if hasattr(value, "name") else changed)
    return str(value)


def _optimisers() -> str:
    """The optimisers, and one table of their settings."""
    used: dict[tuple[str, ...], list[str]] = {}
    for model, name in OPTIMIZERS.items():
        for key, field in _rows(model):
            used.setdefault((code(key), *_default_and_meaning(field)), []).append(code(name))
    about = [f"- {code(name)}: {inspect.getdoc(model)}" for model, name in OPTIMIZERS.items()]
    rows = [[key, ", ".join(of), *rest] for (key, *rest), of in used.items()]
    return "\n".join([*about, "", format_markdown([f"key under {code('algorithm.optimizer')}", "of", *_HEADER], rows)])


if __name__ == "__main__":
    main()
