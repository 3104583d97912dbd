"""Third-party code that a config refers to, and which of it may be imported.

Importing code runs it. Code that users name on the command line, or in a preset that they pass, is trusted. Code that
a checkpoint or run directory names may come from somebody else: it is imported only if the user agrees (--trust-code).
"""

import contextlib
import importlib.util
import os
import re
import sys
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from paac_cli.config.base import ConfigModel
from paac_cli.errors import TrustError
from paac_cli.text import shell_quoted, shorten

_MAX_NAMES = 10  # in one message
_INIT_FROM = ("init_from", "path")  # of a directory, which may have a colon in its name
_TRACKERS = "training.trackers"


class _AnyCode:
    def __contains__(self, name: object) -> bool:
        return True


ANY_CODE: Container[str] = _AnyCode()  #: trusts every `module:name`


class CodeReference(NamedTuple):
    """A place in a config that names code."""

    key: str  #: dotted; a key that contains dots itself is quoted
    name: str  #: `module:name`


def add_cwd_to_path() -> None:
    """Let Python import a user's `module:Class` from the current directory, after all other directories."""
    with contextlib.suppress(FileNotFoundError):  # it has been deleted
        if (here := str(Path.cwd())) not in sys.path:
            sys.path.append(here)


def hidden_file(module: str) -> str:
    """The end of an error about `module` if it is not the file of that name in the current directory; else empty.

    That directory is searched last: a file in it that is called like a library, or a module of Python, is not imported.
    """
    package = module.partition(".")[0]
    imported = sys.modules.get(package)
    with contextlib.suppress(OSError):  # the current directory may have been deleted
        for own in (Path(f"{package}.py"), Path(package, "__init__.py")):
            if imported is not None and own.is_file():
                file = getattr(imported, "__file__", None)
                if file is None or not own.samefile(file):
                    return f"; module {package!r} is {file or 'built into Python'}, not ./{own}: rename your file"
    return ""


def code_references(data: Any) -> list[CodeReference]:
    """All code that the config `data`, as parsed from YAML, may import.

    Every text with a colon counts, also as a key, but not `init_from.path`. In the `kwargs` of an environment or of a
    wrapper, which may import from them, a text such as `localhost:8080` counts only if there is a module of that name.
    """
    found = []
    for path, text in _texts(data):
        if ":" in text and path != _INIT_FROM and (not _is_in_kwargs(path) or _may_be_code(text)):
            found.append(CodeReference(_dotted(path), text))
    return found


def _is_in_kwargs(path: tuple[str | int, ...]) -> bool:
    """Whether a place is in the keyword arguments of an environment or of a wrapper."""
    return path[:2] == ("env", "kwargs") or (path[:2] == ("env", "wrappers") and path[3:4] == ("kwargs",))


def code_names(config: ConfigModel) -> set[str]:
    """`module:name` of all code that `config` may import."""
    return {reference.name for reference in code_references(config.model_dump(mode="json"))}


def playing_arguments(path: Path, data: Any) -> str:
    """The run at `path`, whose config is `data` as parsed from YAML, as arguments of a command that plays its policy.

    The path is quoted for a shell; `--trust-code` follows if the command imports third-party code.
    """
    return f"{shell_quoted(str(path))}{' --trust-code' if _imported(data) else ''}"


def require_trusted(data: Any, source: str, trusted: Container[str]) -> None:
    """Raise TrustError if the config `data`, as parsed from YAML, refers to code that is not in `trusted`."""
    unknown = [reference for reference in _imported(data) if reference.name not in trusted]
    if unknown:
        names = ", ".join(f"{key} = {shorten(repr(name))}" for key, name in unknown[:_MAX_NAMES])
        more = f" and {len(unknown) - _MAX_NAMES:,} more" if len(unknown) > _MAX_NAMES else ""
        raise TrustError(
            f"{source} refers to third-party code that would be imported and run: {names}{more}. Inspect that code; if "
            "you trust it, add --trust-code (for `paac train`, name it on the command line or in the preset; in "
            "Python, trust_code=True)",
            f"{names}{more}",
        )


def _imported(data: Any) -> list[CodeReference]:
    """All code that commands import because of the config `data`.

    Trackers do not count: only `paac train` imports them, and only those that its own preset or command line names.
    """
    return [reference for reference in code_references(data) if not reference.key.startswith(f"{_TRACKERS}[")]


def _texts(data: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(path, text) of every text in `data`: values, and keys of mappings. The path consists of keys and indices."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        match value:
            case str():
                yield path, value
            case dict():
                inner = [((*path, str(key)), value[key]) for key in value]
                yield from ((at, key) for (at, _), key in zip(inner, value, strict=True) if isinstance(key, str))
                waiting += reversed(inner)
            case list() | tuple():
                waiting += reversed([((*path, index), item) for index, item in enumerate(value)])


def _dotted(path: tuple[str | int, ...]) -> str:
    parts = [
        f"[{part}]" if isinstance(part, int) else f".{part if part.isidentifier() else repr(part)}" for part in path
    ]
    return shorten("".join(parts).removeprefix("."))


def _may_be_code(text: str) -> bool:
    """Whether an environment could import what `text` names, as `gymnasium.make("module:Name-v0")` does."""
    if re.fullmatch(r"[\w.-]+:[^\W\d][\w.:-]*", text):
        return True
    module = text.partition(":")[0].partition(".")[0]
    if not module or module in sys.stdlib_module_names:
        return False
    with contextlib.suppress(OSError):  # the current directory may have been deleted
        if any(name == module or name.startswith(f"{module}.") for name in os.listdir()):  # noqa: PTH208
            return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # it has been imported in an unusual way
        return True
