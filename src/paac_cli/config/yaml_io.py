"""Read and write YAML: plain data only.

PyYAML follows YAML 1.1, where `1e-4` is a string; here it is a number. Duplicate keys are an error, because one would
hide the other; so are aliases, with which a small file can expand to gigabytes. The size, depth and number of values
are limited, so that a malicious file is rejected quickly.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from paac_cli.errors import ConfigError
from paac_cli.files import read_regular
from paac_cli.text import printable, reason, shorten

MAX_BYTES = 50_000
MAX_DEPTH = 32
MAX_NODES = 4_000
MAX_DIGITS = 100

_KEY_WITHOUT_SPACE = re.compile(r"\s*(?:- +)?(\w+):([^\s:/\\].*)")

#: Types of YAML that are read as strings: dates, which JSON cannot hold, and the special keys `<<` and `=`.
_IGNORED_TYPES = {f"tag:yaml.org,2002:{name}" for name in ("timestamp", "merge", "value")}


class _Loader(yaml.SafeLoader):
    """Loads mappings, lists, strings, numbers, booleans and null, and rejects everything else in YAML."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML defines it as a class attribute)
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _IGNORED_TYPES]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _depth = _nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _error("aliases are not allowed", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _error(f"the tag {event.tag} is not allowed", event.start_mark)
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH:
            raise _error(f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        if self._nodes > MAX_NODES:
            raise _error(f"more than {MAX_NODES:,} values", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        _check_digits(node)
        return int(super().construct_yaml_int(node))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """`1e6` becomes an integer, so that it is valid for integer settings."""
        _check_digits(node)
        value = float(super().construct_yaml_float(node))
        return int(value) if "e" in node.value.lower() and value.is_integer() else value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise _error("a key must be a string or a number", key_node.start_mark)
            if key in mapping:
                raise _error(f"key {key!r} appears twice", key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


def _check_digits(node: yaml.ScalarNode) -> None:
    if len(node.value) > MAX_DIGITS:
        raise _error(f"a number has {len(node.value):,} digits, more than {MAX_DIGITS}", node.start_mark)


def _error(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


class _Dumper(yaml.SafeDumper):
    """Writes what the loader reads back unchanged: escapes strings and keeps floats from becoming integers."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """YAML normalises some characters, such as U+0085, unless they are escaped."""
        style = None if data.replace("\n", "").isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def represent_float(self, data: float) -> yaml.ScalarNode:
        """Without an exponent where the loader would read an integer."""
        if data.is_integer() and "e" in repr(data) and len(text := f"{data:.1f}") <= MAX_DIGITS:
            return self.represent_scalar("tag:yaml.org,2002:float", text)
        return super().represent_float(data)


_Dumper.add_representer(str, _Dumper.represent_str)
_Dumper.add_representer(float, _Dumper.represent_float)


for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$"),
        list("-+0123456789."),
    )


def parse(text: str, source: str) -> Any:
    """Parse `text`; `source` names it in errors. Raises ConfigError."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise ConfigError(f"{source}: larger than {MAX_BYTES:,} bytes, the limit for a preset")
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        hint = _hint(problem, text.splitlines()[: mark.line + 1]) if mark is not None else ""
        raise ConfigError(f"{source}{where}: invalid YAML: {problem}{hint}") from error


def _hint(problem: str, lines: list[str]) -> str:
    """The end of a message about a `problem` that PyYAML noticed in the last one of `lines`: what is probably wrong."""
    if "'\\t'" in problem:
        return "; indent with spaces, not with tabs"
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    for number, line in numbered[:-3:-1]:  # without a space, a key is noticed at the end of its value
        if found := _KEY_WITHOUT_SPACE.match(line):
            return f"; write a space after the colon of line {number}: {found[1]}: {shorten(printable(found[2]))}"
    return ""


def keys_without_space(value: Any, text: str) -> list[str]:
    """Keys such as `a:1` in `value`, which is `text` parsed: for YAML, `{a:1}` is the key `a:1` without a value."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    nulls = [str(key) for key, part in value.items() if part is None] if isinstance(value, dict) else []
    wrong = [key for key in nulls if ":" in key and re.search(rf"{re.escape(key)}\s*[,}}]", text)]
    return wrong + [key for part in parts for key in keys_without_space(part, text)]


def read_text(path: Path) -> str:
    """The text of the YAML file at `path`. Raises ConfigError, also if it is too large for a preset."""
    try:
        return read_regular(path, MAX_BYTES).decode().replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {reason(error, path)}") from error


def read(path: Path) -> Any:
    """Parse the file at `path`. Raises ConfigError."""
    text = read_text(path)
    data = parse(text, str(path))
    if wrong := keys_without_space(data, text):
        key, _, value = wrong[0].partition(":")
        raise ConfigError(f"{path}: write a space after the colon: {key}: {shorten(printable(value))}")
    return data


def dump(data: Any) -> str:
    """Format `data` as YAML; keys keep their order. Characters that a terminal would not show are escaped."""
    text = _dump(data, allow_unicode=True)
    return text if printable(text) == text else _dump(data, allow_unicode=False)


def _dump(data: Any, *, allow_unicode: bool) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode, width=100)
