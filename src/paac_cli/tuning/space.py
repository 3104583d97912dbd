"""The search space of a study: which settings vary, and over which values.

A YAML file with dotted keys. Each has a list of choices, or a range:

    algorithm.learning_rate: {low: 1e-4, high: 1e-2, log: true}
    network.hidden_sizes: [[64, 64], [256, 256]]
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from paac_cli.config import yaml_io
from paac_cli.config.schema import RunConfig
from paac_cli.errors import ConfigError
from paac_cli.text import counted, shorten

#: These decide how long trials train, and how they are compared.
_FIXED = ("seed", "init_from", "training")
_MOST = 50  # settings, and choices for one of them
_EXPECTED = "expected a list of values, or a range such as {low: 1e-4, high: 1e-2, log: true}"

MakeConfig = Callable[[Mapping[str, Any]], RunConfig]  #: returns the config with these overrides, or raises ConfigError


class Choices(NamedTuple):
    """Any of some values."""

    values: tuple[Any, ...]


class Range(NamedTuple):
    """A number from `low` to `high`, both included."""

    low: float
    high: float
    log: bool  #: whether the logarithm of the number is uniform, instead of the number
    is_integer: bool


SearchSpace = dict[str, Choices | Range]  #: dotted key -> values


def read_space(path: Path, make_config: MakeConfig) -> SearchSpace:
    """The search space in the file at `path`. Each choice, and both ends of each range, must be valid by themselves.

    A range is one of integers if both its ends are, and its setting takes no other numbers. Raises ConfigError.
    """
    return parse_space(yaml_io.read(path), str(path), make_config)


def parse_space(data: Any, source: str, make_config: MakeConfig) -> SearchSpace:
    """As `read_space`, of `data` as parsed from YAML. source: names its origin in errors."""
    if not isinstance(data, dict) or not data or not all(isinstance(key, str) for key in data):
        raise ConfigError(f"{source}: a search space is a mapping of dotted keys, each with {_EXPECTED}")
    if len(data) > _MOST:
        raise ConfigError(f"{source}: {len(data)} settings; at most {_MOST} may vary")
    space: SearchSpace = {}
    for key, values in data.items():
        where = f"{source}: {shorten(key)}"
        if key.partition(".")[0] in _FIXED:
            raise ConfigError(f"{where}: cannot vary; use --set, --total-steps or --seeds")
        space[key] = _choices(values, where) if isinstance(values, list) else _range(values, where, key, make_config)
        for value in examples(space[key]):
            make_config({key: value})
    return space


def to_data(space: SearchSpace) -> dict[str, Any]:
    """The search space as it is written in YAML."""
    return {
        key: list(values.values)
        if isinstance(values, Choices)
        else {"low": values.low, "high": values.high, "log": values.log}
        for key, values in space.items()
    }


def examples(values: Choices | Range) -> tuple[Any, ...]:
    """All choices, or both ends of a range."""
    return values.values if isinstance(values, Choices) else (values.low, values.high)


def _choices(values: list[Any], where: str) -> Choices:
    if not 2 <= len(values) <= _MOST:
        raise ConfigError(f"{where}: {counted(len(values), 'choice')}; expected 2 to {_MOST}")
    if any(value in values[:index] for index, value in enumerate(values)):
        raise ConfigError(f"{where}: a choice appears twice")
    try:
        json.dumps(values, allow_nan=False)
    except ValueError as error:
        raise ConfigError(f"{where}: a choice is not finite") from error
    return Choices(tuple(values))


def _range(data: Any, where: str, key: str, make_config: MakeConfig) -> Range:
    if not isinstance(data, dict) or not {"low", "high"} <= data.keys() <= {"low", "high", "log"}:
        raise ConfigError(f"{where}: {_EXPECTED}")
    low, high, log = data["low"], data["high"], data.get("log", False)
    if not all(type(end) in (int, float) and math.isfinite(end) for end in (low, high)) or not low < high:
        raise ConfigError(f"{where}: low and high must be finite numbers, and low less than high")
    if not isinstance(log, bool) or (log and low <= 0):
        raise ConfigError(f"{where}: log must be true or false, and low positive if it is true")
    is_integer = isinstance(low, int) and isinstance(high, int) and not _takes_fractions(low + 0.5, key, make_config)
    return Range(low, high, log, is_integer)


def _takes_fractions(number: float, key: str, make_config: MakeConfig) -> bool:
    try:
        make_config({key: number})
    except ConfigError:
        return False
    return True
