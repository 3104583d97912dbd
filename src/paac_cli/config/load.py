"""From YAML and overrides to a checked `RunConfig`, with errors that name the way out."""

import difflib
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from paac_cli.config import yaml_io
from paac_cli.config.schema import FREE_ON_RESUME, RunConfig
from paac_cli.config.trust import ANY_CODE, require_trusted
from paac_cli.errors import ConfigError

_MOST_TOLD, _LONGEST_TOLD = 30, 200  # mistakes, and characters of each value


def load_config(
    data: Any,
    source: str,
    overrides: Mapping[str, Any] | None = None,
    flags: Mapping[str, str] | None = None,
    *,
    trusted: Container[str] = ANY_CODE,
) -> RunConfig:
    """Check plain `data` after putting `overrides` (dotted key -> value) into it.

    flags: dotted key -> what it was given by on the command line, where that is not --set. trusted: the code
    that may be imported, `module:name`; where `data` is not of the user's own, that is not everything.

    Raises TrustError, and ConfigError, which names the `source` or the flag, the key, the value, what is allowed
    and the nearest key.
    """
    overrides = overrides or {}
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: a preset is a mapping with the sections {', '.join(RunConfig.model_fields)}")
    for key, value in overrides.items():
        data = _put(data, key.split("."), value, key)
    require_trusted(data, source, trusted)
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        given_by = {key: (flags or {}).get(key, f"--set {key}") for key in overrides}
        raise ConfigError(_explain(source, given_by, error)) from error


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """`["algorithm.gamma=0.9", ...]` as dotted keys and YAML values. Raises ConfigError."""
    overrides = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals or not all(key.split(".")):
            raise ConfigError(f"--set {assignment}: write it as key.sub=value")
        overrides[key] = yaml_io.parse(text, f"--set {assignment}")
    return overrides


def to_yaml(config: RunConfig) -> str:
    """The resolved config as YAML, which loads as the same config."""
    return yaml_io.dump(config.model_dump(mode="json"))


def changed_settings(old: RunConfig, new: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> (old, new) for all that differs and is not free to change on resume."""
    old_flat, new_flat = _flatten(old.model_dump(mode="json")), _flatten(new.model_dump(mode="json"))
    return {
        key: (old_flat.get(key), new_flat.get(key))
        for key in sorted(old_flat.keys() | new_flat.keys())
        if (key in old_flat, old_flat.get(key)) != (key in new_flat, new_flat.get(key))
        and not any(key == free or key.startswith(free + ".") for free in FREE_ON_RESUME)
    }


def read_config(
    path: Path,
    overrides: Mapping[str, Any] | None = None,
    flags: Mapping[str, str] | None = None,
    *,
    trusted: Container[str] = ANY_CODE,
) -> RunConfig:
    """The config in the YAML file at `path`; the rest as `load_config` has it. Raises ConfigError and TrustError."""
    return load_config(yaml_io.read(path), str(path), overrides, flags, trusted=trusted)


def load_run(
    preset: Path, overrides: Mapping[str, Any] | None = None, flags: Mapping[str, str] | None = None
) -> RunConfig:
    """The config of a new run: the preset file at `preset` with `overrides`, as `read_config` checks it.

    A goal (`training.stop_when`) of one environment means nothing in another: the preset's is dropped if `overrides`
    name another environment and no goal. Raises ConfigError.
    """
    overrides = overrides or {}
    data = yaml_io.read(preset)
    config = load_config(data, str(preset), overrides, flags)
    env = data.get("env")
    env_of_preset = env.get("id") if isinstance(env, dict) else None
    has_own_goal = any(key.startswith("training.stop_when") for key in overrides)
    if "env.id" not in overrides or has_own_goal or env_of_preset in (None, config.env.id):
        return config
    return config.model_copy(update={"training": config.training.model_copy(update={"stop_when": None})})


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


def _explain(source: str, given_by: Mapping[str, str], error: ValidationError) -> str:
    """One line per key: where, what was found, what is allowed, what is near."""
    problems: dict[tuple[str, str], list[str]] = {}
    errors = error.errors(include_url=False)
    for item in errors[:_MOST_TOLD]:
        keys, fields = _resolve(item["loc"])
        key = ".".join(keys)
        made_by_flag = item["type"] == "extra_forbidden"  # a key that is not known may be there for what is below it
        below = [flag for given, flag in given_by.items() if made_by_flag and f"{given}.".startswith(f"{key}.")]
        place = next(
            (flag for given, flag in given_by.items() if f"{key}.".startswith(f"{given}.")), (*below, source)[0]
        )
        if item["type"] == "extra_forbidden":
            problems[place, f"unknown key {_short(key)}{nearest(keys[-1], fields)}"] = []
        elif item["type"] == "missing":
            problems[place, f"{key} is missing"] = []
        else:
            value = item["input"]
            told = key if isinstance(value, dict) else f"{key} = {_short(repr(value))}"
            message = item["msg"].removeprefix("Value error, ")
            allowed = re.findall(r"'([^']+)'", str(item.get("ctx", {}).get("expected", "")))
            near = nearest(value, allowed) if isinstance(value, str) else ""
            problems.setdefault((place, told or "the preset"), []).append(message[:1].lower() + message[1:] + near)
    lines = [
        ": ".join([place, told, " or ".join(said)] if said else [place, told])
        for (place, told), said in problems.items()
    ]
    if len(errors) > _MOST_TOLD:
        lines.append(f"{source}: and {len(errors) - _MOST_TOLD:,} mistakes more")
    return "\n".join(lines)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}..."


def _resolve(location: tuple[int | str, ...]) -> tuple[list[str], list[str]]:
    """The keys in pydantic's location of an error, and the fields that are known beside the last of them.

    A location also holds the tags of unions, which are no keys but choose among classes.
    """
    models: list[type[BaseModel]] = [RunConfig]
    keys: list[str] = []
    fields: list[str] = []
    is_mapping = False
    for part in location:
        if not models:  # below a plain value: its index in a list, its key in a mapping, or the name of a type
            keys += [str(part)] if isinstance(part, int) or is_mapping else []
            is_mapping = False
            continue
        known = {name: field for model in models for name, field in model.model_fields.items()}
        tagged = [
            model for model in models if "name" in model.model_fields and model.model_fields["name"].default == part
        ]
        if part in known or not tagged:
            keys.append(str(part))
            fields = list(known)
            annotation = known[str(part)].annotation if part in known else None
            models, is_mapping = _models(annotation), get_origin(annotation) is dict
        else:
            models = tagged
    return keys, fields


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The config classes named in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
