"""Placeholders in the `kwargs` of an environment and of its wrappers.

They give every copy of an environment a port, a directory or a number of its own.

    "{env_index}"           the index of the environment, from 0: "7"
    "sim-{worker_index}"    the index of its worker process, from 0: "sim-1"
    "{env_index + 5000}"    a sum: the number 5007, not text, if the value is nothing but this; otherwise its digits

All other braces stay as they are.
"""

import re
from typing import Any, NamedTuple

from paac_cli.config.env import EnvConfig

_PLACEHOLDER = re.compile(r"\{ *(env_index|worker_index) *(?:\+ *([0-9]{1,18}) *)?\}")


class Copy(NamedTuple):
    """Which copy of its environment an environment is."""

    env_index: int = 0
    worker_index: int = 0


FIRST_COPY = Copy()


def fill_placeholders(config: EnvConfig, copy: Copy = FIRST_COPY) -> EnvConfig:
    """`config` with the placeholders in all text of all `kwargs` replaced, at any depth; keys of mappings stay."""
    numbers = copy._asdict()
    wrappers = tuple(one.model_copy(update={"kwargs": _fill(one.kwargs, numbers)}) for one in config.wrappers)
    filled = config.model_copy(update={"kwargs": _fill(config.kwargs, numbers), "wrappers": wrappers})
    return config if filled == config else filled


def _fill(value: Any, numbers: dict[str, int]) -> Any:
    match value:
        case str():
            whole = _PLACEHOLDER.fullmatch(value)
            if whole and whole[2]:
                return numbers[whole[1]] + int(whole[2])
            return _PLACEHOLDER.sub(lambda found: str(numbers[found[1]] + int(found[2] or 0)), value)
        case dict():
            return {key: _fill(entry, numbers) for key, entry in value.items()}
        case list() | tuple():
            return [_fill(entry, numbers) for entry in value]
    return value
