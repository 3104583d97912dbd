"""How the config of a run differs from the preset that it was started with, and the commands that train it again."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from paac_cli.config import yaml_io
from paac_cli.config.load import is_free_on_resume, load_run, read_config
from paac_cli.config.presets import find_preset, preset_names
from paac_cli.config.schema import RunConfig
from paac_cli.errors import ConfigError
from paac_cli.runs.saved_run import SavedRun
from paac_cli.text import ranges, shell_quoted

_FLAGS = {"env.id": "--env", "algorithm": "--algorithm"}
_DECIDED_AT_START = ("env.fresh_per_episode", "network.precision")
_WIDTH = 76  #: of a line of a command


class Difference(NamedTuple):
    """A setting with another value than in the preset."""

    key: str  #: dotted
    preset: Any
    run: Any

    @property
    def is_decided_at_start(self) -> bool:
        """Whether the preset leaves it to the start of a run."""
        return self.preset == "auto" and self.key in _DECIDED_AT_START

    @property
    def is_free(self) -> bool:
        """Whether it may differ without changing what the run learns from a step."""
        return is_free_on_resume(tuple(self.key.split(".")))


class PresetComparison(NamedTuple):
    """The config of a run next to its preset."""

    preset: str  #: as the user gave it; empty if unknown
    differences: tuple[Difference, ...] | None  #: but for the seed; None if they cannot be known
    overrides: dict[str, Any] | None  #: with which the preset gives the config; None if no overrides do


def compare_with_preset(run: SavedRun) -> PresetComparison:
    """Compare `run` with the shipped preset that it names.

    A preset that is a file is not read: it may have changed since, and the name may come from somebody else.
    """
    name = run.preset
    if name not in preset_names() or ":" in run.algorithm:
        return PresetComparison(name, None, None)
    path = find_preset(name)
    preset = read_config(path)
    differences = tuple(_differences_of(preset, run.config))
    overrides = {each.key: each.run for each in _differences_of(preset, run.config, by_section=True)}
    if preset.algorithm.name != run.algorithm:
        del overrides["algorithm.name"]
        overrides = {"algorithm": {"name": run.algorithm}} | overrides
    if "env.id" in overrides and preset.training.stop_when:  # otherwise the goal of the preset would be dropped
        goal = run.config.training.stop_when
        overrides["training.stop_when"] = goal.model_dump(mode="json") if goal else None
        overrides = {key: value for key, value in overrides.items() if not key.startswith("training.stop_when.")}
    with contextlib.suppress(ConfigError):
        if load_run(path, overrides | {"seed": run.config.seed}) == run.config:
            return PresetComparison(name, differences, overrides)
    return PresetComparison(name, differences, None)


def train_command(comparison: PresetComparison, seeds: Sequence[int], ranks: int = 1) -> str:
    """The command that trains the run again, or a group of runs with `seeds`."""
    preset = "config.yaml" if comparison.overrides is None else comparison.preset
    words = [
        "paac train" if ranks == 1 else f"paac launch --ranks {ranks} -- train",
        f"--preset {shell_quoted(preset)}",
    ]
    words.append(f"--seeds {','.join(ranges(seeds))}" if len(seeds) > 1 else f"--seed {seeds[0]}")
    for key, value in (comparison.overrides or {}).items():
        if key in _FLAGS:
            words.append(f"{_FLAGS[key]} {shell_quoted(value['name'] if key == 'algorithm' else value)}")
        else:
            words.append(f"--set {shell_quoted(f'{key}={yaml_text(value)}')}")
    return folded(words)


def folded(words: Sequence[str]) -> str:
    """A command of `words`, with a backslash where a line ends."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {word}"
    return " \\\n".join(lines)


def yaml_text(value: Any) -> str:
    """`value` as it is written in one line of YAML, and after `--set KEY=`."""
    if isinstance(value, str):
        with contextlib.suppress(ConfigError):
            if yaml_io.parse(value, "text") == value and value == value.strip():
                return value
    return json.dumps(value, ensure_ascii=False)


def _differences_of(preset: RunConfig, run: RunConfig, *, by_section: bool = False) -> Iterator[Difference]:
    """by_section: a section whose `name` decides which keys it has is one difference, as one override must set it."""
    old, new = preset.model_dump(mode="json"), run.model_dump(mode="json")
    del old["seed"], new["seed"]
    if preset.algorithm.name != run.algorithm.name:
        yield Difference("algorithm.name", preset.algorithm.name, run.algorithm.name)
        old["algorithm"] = type(run.algorithm)().model_dump(mode="json")  # what --algorithm begins with
    yield from _differences(old, new, "", by_section)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str, by_section: bool) -> Iterator[Difference]:
    for key, value in new.items():
        before = old.get(key)
        is_whole = by_section and prefix and isinstance(value, dict) and "name" in value
        if isinstance(before, dict) and isinstance(value, dict) and before.keys() <= value.keys() and not is_whole:
            yield from _differences(before, value, f"{prefix}{key}.", by_section)
        elif key not in old or before != value:
            yield Difference(f"{prefix}{key}", before, value)
