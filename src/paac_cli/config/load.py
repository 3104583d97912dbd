"""From YAML and overrides to a checked `RunConfig`, with errors that name the way out."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from paac_cli.config import yaml_io
from paac_cli.config.schema import FREE_ON_RESUME, RunConfig
from paac_cli.errors import ConfigError


def load_config(data: Any, source: str, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Check plain `data` after putting `overrides` (dotted key -> value) into it.

    Raises ConfigError, which names `source`, the key, the value, what is allowed and the nearest key.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: a preset is a mapping with the sections {', '.join(RunConfig.model_fields)}")
    for key, value in (overrides or {}).items():
        data = _put(data, key.split("."), value, key)
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(source, item) for item in error.errors())) from error


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """`["algorithm.gamma=0.9", ...]` as dotted keys and YAML values. Raises ConfigError."""
    overrides = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {assignment}: write it as key.sub=value")
        overrides[key.strip()] = yaml_io.parse(text, f"--set {assignment}")
    return overrides


def to_yaml(config: RunConfig) -> str:
    """The resolved config as YAML, which loads as the same config."""
    return yaml_io.dump(config.model_dump(mode="json"))


def differences(old: RunConfig, new: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> (old, new) for all that differs and is not free to change on resume."""
    old_flat, new_flat = _flatten(old.model_dump(mode="json")), _flatten(new.model_dump(mode="json"))
    return {
        key: (old_flat.get(key), new_flat.get(key))
        for key in sorted(old_flat.keys() | new_flat.keys())
        if old_flat.get(key) != new_flat.get(key)
        and not any(key == free or key.startswith(free + ".") for free in FREE_ON_RESUME)
    }


def read_config(path: Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """The config in the YAML file at `path`. Raises ConfigError."""
    return load_config(yaml_io.read(path), str(path), overrides)


def nearest(word: str, known: Iterable[str], count: int = 3) -> str:
    """ "; did you mean a, b?" for the known words closest to `word`, or nothing."""
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), folded, n=count, cutoff=0.5)
    return f"; did you mean {', '.join(folded[name] for name in close)}?" if close else ""


def _put(data: dict[str, Any], path: list[str], value: Any, key: str) -> dict[str, Any]:
    """A copy of `data` with `value` at `path`."""
    head, *rest = path
    if not rest:
        return {**data, head: value}
    section = data.get(head)
    if section is None:
        section = {}
    if not isinstance(section, dict):
        raise ConfigError(f"--set {key}: {head} is a value, not a section")
    return {**data, head: _put(section, rest, value, key)}


def _flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _explain(source: str, item: Any) -> str:
    location = [str(part) for part in item["loc"]]
    fields = _fields_at(location[:-1])
    location = [part for part in location if part in _ALL_KEYS or part == location[-1]]
    key = ".".join(location) or "the preset"
    if item["type"] == "extra_forbidden":
        return f"{source}: unknown key {key}{nearest(location[-1], fields)}"
    if item["type"] == "missing":
        return f"{source}: {key} is missing"
    message = item["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    value = item["input"]
    if item["type"] == "value_error" or isinstance(value, dict):
        return f"{source}: {key}: {message}"
    expected = item.get("ctx", {}).get("expected", "")
    hint = nearest(value, expected.replace("'", "").replace(" or ", ", ").split(", ")) if isinstance(value, str) else ""
    return f"{source}: {key} = {value!r}: {message}{hint}"


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The config classes named in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _fields_at(location: list[str]) -> list[str]:
    """The keys that are known at a place in the config."""
    models: list[type[BaseModel]] = [RunConfig]
    for part in location:
        deeper = [
            m for model in models if part in model.model_fields for m in _models(model.model_fields[part].annotation)
        ]
        models = deeper or models  # a union's tag is part of pydantic's location, but no key
    return [name for model in models for name in model.model_fields]


def _all_keys(model: type[BaseModel]) -> set[str]:
    keys = set(model.model_fields)
    for field in model.model_fields.values():
        for sub in _models(field.annotation):
            keys |= _all_keys(sub)
    return keys


_ALL_KEYS = _all_keys(RunConfig)
