"""Code that a config names, which whoever wrote the config would have us run.

What a user names on the command line or in the preset they pass is their own word. What a checkpoint or a
run directory names is somebody's, and is imported only where the user says so.
"""

from collections.abc import Container
from typing import Any

from paac_cli.errors import TrustError


class _Everything:
    def __contains__(self, name: object) -> bool:
        return True


ANY_CODE: Container[str] = _Everything()


def code_references(data: Any, key: str = "") -> dict[str, str]:
    """Dotted key -> `module:name`, of all in the plain `data` of a config that would be imported sooner or later.

    Any text with a colon counts: no other value has one, and an environment may do what it likes with its kwargs.
    """
    match data:
        case str() if ":" in data:
            return {key: data}
        case dict():
            parts = [code_references(value, f"{key}.{name}" if key else str(name)) for name, value in data.items()]
        case list() | tuple():
            parts = [code_references(value, key) for value in data]
        case _:
            return {}
    return {where: name for part in parts for where, name in part.items()}


def require_trusted(data: Any, source: str, trusted: Container[str]) -> None:
    """Raises TrustError if the plain `data` of a config names code that is not in `trusted`."""
    unknown = {key: name for key, name in code_references(data).items() if name not in trusted}
    if unknown:
        told = ", ".join(f"{key} = {name!r}" for key, name in unknown.items())
        raise TrustError(
            f"{source} names code of somebody's, which would be imported: {told}. Look at it, then say --trust-code; "
            "`paac train` takes such names from its own command line and preset alone"
        )
