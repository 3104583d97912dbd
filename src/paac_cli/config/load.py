"""Load a preset with overrides as a validated `RunConfig`, with errors that name source, key, value and fix."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from paac_cli.config import yaml_io
from paac_cli.config.algorithms import ALGORITHM_CONFIGS, TRUSTED
from paac_cli.config.schema import FREE_ON_RESUME, RunConfig
from paac_cli.config.trust import ANY_CODE, require_trusted
from paac_cli.errors import ConfigError
from paac_cli.text import nearest, one_line, shorten

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MAX_ERRORS = 30  # in one message
_FREE_ON_RESUME = [tuple(key.split(".")) for key in FREE_ON_RESUME]

#: Name of a setting in Stable-Baselines3 or CleanRL -> its name here.
_USUAL_NAMES = {
    "anneal_lr": "lr_anneal_steps",
    "clip_range": "clip_coef",
    "clip_range_vf": "clip_value",
    "lr": "learning_rate",
    "n_envs": "num_envs",
    "n_epochs": "num_epochs",
    "n_steps": "num_steps",
    "net_arch": "hidden_sizes",
    "total_timesteps": "total_steps",
    "update_epochs": "num_epochs",
}


def load_config(
    data: Any,
    source: str,
    overrides: Mapping[str, Any] | None = None,
    flags: Mapping[str, str] | None = None,
    *,
    trusted: Container[str] = ANY_CODE,
) -> RunConfig:
    """Validate `data`, as parsed from YAML, with `overrides` (dotted key -> value) applied.

    source: names the origin of `data` in errors.
    flags: dotted key of an override -> its command-line flag, if that is not --set.
    trusted: `module:name` of all code that may be imported; pass ANY_CODE only if the user wrote `data`.

    Raises TrustError, and ConfigError, which names the source or flag, the key, the value, what is allowed and the
    nearest valid key.
    """
    overrides = overrides or {}
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: a preset must be a mapping with the keys {', '.join(RunConfig.model_fields)}")
    given_by = {key: (flags or {}).get(key, f"--set {shorten(key)}") for key in overrides}
    for key, value in overrides.items():
        data = _put(data, key.split("."), value, given_by[key])
    imports = third_party_algorithm(data) is not None
    config = _validate(data | {"algorithm": {}} if imports else data, source, given_by, trusted=())
    require_trusted(data, source, trusted)
    return _validate(data, source, given_by, trusted) if imports else config


def third_party_algorithm(data: Any) -> str | None:
    """`module:Class` of the algorithm that the config `data`, as parsed from YAML, names, if it is not a built-in one.

    Only to validate its settings is anything imported.
    """
    match data:
        case {"algorithm": {"name": str(name)}} if ":" in name:
            return name
    return None


def _validate(data: Any, source: str, given_by: Mapping[str, str], trusted: Container[str]) -> RunConfig:
    """`data` as a config. Raises ConfigError, also if the algorithm is third-party code that is not `trusted`."""
    try:
        return RunConfig.model_validate(data, context={TRUSTED: trusted})
    except ValidationError as error:
        raise ConfigError(_explain(source, given_by, error)) from error


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Parse `["algorithm.gamma=0.9", ...]` into dotted key -> YAML value. Raises ConfigError."""
    overrides = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        flag = f"--set {shorten(assignment)}"
        if not equals or not all(key.split(".")):
            raise ConfigError(f"{flag}: expected KEY=VALUE, e.g. --set algorithm.gamma=0.95")
        if any("\ud800" <= character <= "\udfff" for character in assignment):
            raise ConfigError(f"{flag}: not UTF-8")
        if key.count(".") >= yaml_io.MAX_DEPTH:
            raise ConfigError(f"{flag}: a key of {key.count('.') + 1:,} parts; no setting has more than a few")
        overrides[key] = yaml_io.parse(text, flag)
    return overrides


def to_yaml(config: RunConfig) -> str:
    """The config with all defaults as YAML; loading it gives an equal config.

    Raises ConfigError if it is too large to be loaded again: it may be larger than the preset that it comes from.
    """
    text = yaml_io.dump(config.model_dump(mode="json"))
    yaml_io.parse(text, "the config with all defaults")
    return text


def is_free_on_resume(path: tuple[str, ...]) -> bool:
    """Whether the setting with the keys `path` is one of `FREE_ON_RESUME`, or a part of one."""
    return any(path[: len(free)] == free for free in _FREE_ON_RESUME)


def changed_settings(
    old: RunConfig, new: RunConfig, is_free: Callable[[tuple[str, ...]], bool] = is_free_on_resume
) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> (old, new) of every setting that differs, but for free ones.

    is_free: whether the setting with these keys may differ.

    A setting that is `auto` in `new` does not differ from what a run with the config `old` has found for it.
    """
    new = new.resuming(old)
    old_flat, new_flat = (dict(flatten(config.model_dump(mode="json"))) for config in (old, new))
    changed = [
        path
        for path in sorted(old_flat.keys() | new_flat.keys())
        if (path in old_flat, old_flat.get(path)) != (path in new_flat, new_flat.get(path)) and not is_free(path)
    ]
    # A section that is null on one side is described by its keys on the other.
    sections = {path[:end] for path in changed for end in range(1, len(path))}
    values = {path: (old_flat.get(path), new_flat.get(path)) for path in changed}
    return {".".join(path): pair for path, pair in values.items() if path not in sections or pair != (None, None)}


def read_config(
    path: Path,
    overrides: Mapping[str, Any] | None = None,
    flags: Mapping[str, str] | None = None,
    *,
    trusted: Container[str] = ANY_CODE,
) -> RunConfig:
    """Load the YAML file at `path` as `load_config` does. Raises ConfigError and TrustError."""
    return load_config(yaml_io.read(path), str(path), overrides, flags, trusted=trusted)


def load_run(
    preset: Path, overrides: Mapping[str, Any] | None = None, flags: Mapping[str, str] | None = None
) -> RunConfig:
    """The config of a new run: the preset file at `preset` with `overrides`, as `read_config` checks it.

    If `overrides` name another environment and no goal, the preset's goal (`training.stop_when`) is dropped: returns of
    different environments are not comparable. Raises ConfigError.
    """
    overrides = overrides or {}
    data = yaml_io.read(preset)
    config = load_config(data, str(preset), overrides, flags)
    env = data.get("env")
    env_of_preset = env.get("id") if isinstance(env, dict) else None
    if env_of_preset in (None, config.env.id) or has_goal(overrides):
        return config
    return config.with_settings("training", stop_when=None)


def has_goal(overrides: Mapping[str, Any]) -> bool:
    """Whether `overrides` set `training.stop_when`, perhaps to null."""
    section = overrides.get("training")
    return any(key.startswith("training.stop_when") for key in overrides) or (
        isinstance(section, dict) and "stop_when" in section
    )


def _put(data: dict[str, Any], path: list[str], value: Any, flag: str) -> dict[str, Any]:
    """A copy of `data` with `value` at `path`. flag: gave the value, for errors. Raises ConfigError."""
    head, *rest = path
    if not rest:
        return {**data, head: value}
    section = data.get(head)
    if section is None:
        section = {}
    if not isinstance(section, dict):
        raise ConfigError(f"{flag}: {head} is not a mapping, so it has no key {rest[0]!r}")
    return {**data, head: _put(section, rest, value, flag)}


def flatten(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(keys, value) of every setting: a dotted key would not distinguish {a: {b: 1}} from {a.b: 1}."""
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, (*path, key))
        else:
            yield (*path, key), value


def _explain(source: str, flags: Mapping[str, str], error: ValidationError) -> str:
    """One line per setting: where it was given, its key and value, what is wrong, what is allowed.

    flags: dotted key of each override -> its command-line flag.
    """
    problems: dict[tuple[str, str], list[str]] = {}  # (origin, subject) -> messages: a union gives one per member
    errors = error.errors(include_url=False)
    for item in errors[:_MAX_ERRORS]:
        keys, fields = _resolve(item["loc"])
        if item["type"].startswith("union_tag"):  # pydantic blames the section that the name selects a class for
            keys.append("name")
        origin = _origin(".".join(keys), source, flags, item)
        subject, message = _explain_one(item, keys, fields)
        problems.setdefault((origin, subject), []).extend([message] if message else [])
    lines = [
        ": ".join(part for part in (origin, subject, " or ".join(messages)) if part)
        for (origin, subject), messages in problems.items()
    ]
    if len(errors) > _MAX_ERRORS:
        lines.append(f"{source}: {len(errors) - _MAX_ERRORS:,} more errors")
    return "\n".join(lines)


def _explain_one(item: "ErrorDetails", keys: list[str], fields: Mapping[str, FieldInfo]) -> tuple[str, str]:
    """The subject of one error, e.g. `key = value`, and what is wrong with it; either may be empty."""
    key, value, context = one_line(".".join(keys)), item["input"], item.get("ctx", {})
    match item["type"]:
        case "extra_forbidden":
            usual = _USUAL_NAMES.get(keys[-1], keys[-1])
            name = usual if usual in fields else keys[-1]
            elsewhere = keys_called(key) if len(keys) == 1 else []
            names = algorithms_with(elsewhere[0]) if elsewhere else []
            of_some = f" (of {', '.join(names)})" if names else ""
            close = f"; did you mean {elsewhere[0]}{of_some}?" if elsewhere else nearest(name, fields)
            hint = close or f"; valid keys: {', '.join(fields)}"
            return f"unknown key {shorten(key)}{hint}", ""
        case "missing":
            return f"{key} is missing{_describe(fields.get(keys[-1]))}", ""
        case "union_tag_not_found":
            return f"{key} is missing", ""
        case "union_tag_invalid":
            value, expected = context["tag"], context["expected_tags"]
            message = f"must be one of {expected}" + (
                ", or module:Class of your own" if key == "algorithm.name" else ""
            )
        case "model_type":
            section = fields.get(keys[-1])
            names = [name for model in _models(section.annotation if section else None) for name in model.model_fields]
            expected, message = "", "must be a mapping" + (f" with the keys {', '.join(names)}" if names else "")
        case "tuple_type" | "list_type":
            element = "..." if isinstance(value, Mapping | None) else shorten(one_line(str(value)))
            expected, message = "", f"must be a list, e.g. [{element}]"
        case _:
            expected = str(context.get("expected", ""))
            message = item["msg"].removeprefix("Value error, ").replace("Input should ", "must ")
            message = message[:1].lower() + message[1:]
    if isinstance(value, str):
        message += nearest(value, re.findall(r"'([^']+)'", expected))
    return key if isinstance(value, dict) else f"{key} = {shorten(repr(value))}", message


def keys_called(name: str) -> list[str]:
    """The dotted keys of settings that are called `name`, here or in other projects; `name` has no section."""
    key = _USUAL_NAMES.get(name, name)
    sections = {name: _models(field.annotation) for name, field in RunConfig.model_fields.items()}
    found = [name for name, models in sections.items() if any(key in model.model_fields for model in models)]
    return [f"{name}.{key}" for name in found]


def algorithms_with(key: str) -> list[str]:
    """The built-in algorithms that have the setting `key`, dotted; empty if all or none have it."""
    section, _, setting = key.partition(".")
    having = [name for name, model in ALGORITHM_CONFIGS.items() if setting in model.model_fields]
    return having if section == "algorithm" and len(having) < len(ALGORITHM_CONFIGS) else []


def _origin(key: str, source: str, flags: Mapping[str, str], item: "ErrorDetails") -> str:
    """Where the value of `key` was given: by the flag for it or for the nearest section around it, or in `source`.

    An unknown key may have been created by a flag for a key below it. If settings of a section contradict each other,
    flags for keys below it are named, too.
    """
    above = sorted((given for given in flags if f"{key}.".startswith(f"{given}.")), key=len)
    below = [flag for given, flag in flags.items() if not key or given.startswith(f"{key}.")]
    if above or not below:
        return flags[above[-1]] if above else source
    if item["type"] == "extra_forbidden":
        return below[0]
    return f"{source} with {', '.join(below)}" if item["type"] == "value_error" else source


def _describe(field: FieldInfo | None) -> str:
    return f" ({field.description})" if field is not None and field.description else ""


def _resolve(location: tuple[int | str, ...]) -> tuple[list[str], dict[str, FieldInfo]]:
    """The keys in `location`, where pydantic found an error, and the valid fields of the section of the last key.

    A location also holds the tags of unions, which are not keys: a tag selects one of several config classes.
    """
    models: list[type[BaseModel]] = [RunConfig]
    keys: list[str] = []
    fields: dict[str, FieldInfo] = {}
    is_mapping = False
    for part in location:
        if not models:  # inside a plain value: the index in a list, the key of a mapping, or the name of a type
            keys += [str(part)] if isinstance(part, int) or is_mapping else []
            is_mapping = False
            continue
        known = {name: field for model in models for name, field in model.model_fields.items()}
        tagged = [
            model for model in models if "name" in model.model_fields and model.model_fields["name"].default == part
        ]
        if part in known or not tagged:
            keys.append(str(part))
            fields = known
            annotation = known[str(part)].annotation if part in known else None
            models, is_mapping = _models(annotation), get_origin(annotation) is dict
        else:
            models = tagged
    return keys, fields


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The config classes in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
