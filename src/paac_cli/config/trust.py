"""Third-party code that a config refers to, and which of it may be imported.

Importing code runs it. Code that users name on the command line, or in a preset that they pass, is trusted. Code that
a checkpoint or run directory names may come from somebody else: it is imported only if the user agrees (--trust-code).
"""

from collections.abc import Container
from typing import Any

from paac_cli.errors import TrustError


class _AnyCode:
    def __contains__(self, name: object) -> bool:
        return True


ANY_CODE: Container[str] = _AnyCode()  #: trusts every `module:name`


def code_references(data: Any, key: str = "") -> dict[str, str]:
    """Dotted key -> `module:name` of all code that the config `data`, as parsed from YAML, may import.

    Every string with a colon counts, also in `env.kwargs`: an environment may import what they name.
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
    """Raise TrustError if the config `data`, as parsed from YAML, refers to code that is not in `trusted`."""
    unknown = {key: name for key, name in code_references(data).items() if name not in trusted}
    if unknown:
        names = ", ".join(f"{key} = {name!r}" for key, name in unknown.items())
        raise TrustError(
            f"{source} refers to third-party code that would be imported and run: {names}. Inspect that code; if you "
            "trust it, add --trust-code (for `paac train`, name it on the command line or in the preset)"
        )
