"""Load a preset with overrides as a validated `RunConfig`, with errors that name source, key, value and fix."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from paac_cli.config import yaml_io
from paac_cli.config.algorithms import TRUSTED
from paac_cli.config.explain import explain
from paac_cli.config.schema import FREE_ON_RESUME, RunConfig
from paac_cli.config.trust import ANY_CODE, require_trusted
from paac_cli.errors import ConfigError
from paac_cli.text import shell_quoted, shorten

_FREE_ON_RESUME = [tuple(key.split(".")) for key in FREE_ON_RESUME]


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
        _require_name_of_algorithm(data, key, value, given_by[key])
        data = _put(data, key.split("."), value, given_by[key])
    imports = third_party_algorithm(data) is not None
    config = _validate(data | {"algorithm": {}} if imports else data, source, given_by, trusted=())
    require_trusted(data, source, trusted)
    return _validate(data, source, given_by, trusted) if imports else config


def _require_name_of_algorithm(data: dict[str, Any], key: str, value: Any, flag: str) -> None:
    """Raise ConfigError if an override would silently make the algorithm of the preset `data` the default, PAAC."""
    match key, value, data:
        case "algorithm", dict(), {"algorithm": {"name": str(name)}} if name != "paac" and "name" not in value:
            raise ConfigError(
                f"{flag}: replaces the whole section, so it needs a name, e.g. {{name: {name}, gamma: 0.95}}; to "
                "change only some settings of the preset, name them, e.g. algorithm.gamma=0.95"
            )


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
        raise ConfigError(explain(source, given_by, error)) from error


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
        overrides[key] = value = yaml_io.parse(text, flag)
        spaced = text
        for wrong in yaml_io.keys_without_space(value, text):
            spaced = spaced.replace(wrong, wrong.replace(":", ": ", 1))
        if spaced != text:
            raise ConfigError(f"{flag}: write a space after the colon: --set {shell_quoted(f'{key}={spaced}')}")
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
    # A section that is null or empty on one side is described by its keys on the other, of which some may be null.
    sections = {path[:end] for path in changed for end in range(1, len(path))}
    values = {path: (old_flat.get(path), new_flat.get(path)) for path in changed}
    named = {path: pair for path, pair in values.items() if path not in sections or any(pair)}
    visible = {path: pair for path, pair in named.items() if pair[0] != pair[1]}
    return {".".join(path): pair for path, pair in (visible or named).items()}


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
