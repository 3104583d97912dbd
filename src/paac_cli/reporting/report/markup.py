"""Builds HTML. Text is escaped unless it is `Html`, so that text from files cannot become markup."""

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any

from paac_cli.text import printable

_VOID = frozenset({"meta", "link", "img"})  # elements without an end tag


class Html(str):
    """Markup, which is not escaped again."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | bool) -> Html:
    """The element `tag` with `children`: text, which is escaped, or `Html`.

    attributes: their values are escaped as children are; True gives an attribute without a value, and False leaves it
    out. Underscores stand for dashes, and one at the end is dropped, as in `class_`.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items() if value is not False)
    return Html(f"<{tag}{given}>" if tag in _VOID else f"<{tag}{given}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Html:
    """`children` one after the other: text, which is escaped, or `Html`."""
    return Html("".join(child if isinstance(child, Html) else _escape(child) for child in children))


def section(title: str, *children: str, name: str) -> Html:
    """A section of the page with this heading."""
    return element("section", element("h2", title), *children, id=name)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, class_: str = "") -> Html:
    """A table that scrolls by itself where it is too wide. Cells are text, or Html."""
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in columns)))
    body = element("tbody", *(element("tr", *(element("td", cell) for cell in row)) for row in rows))
    return element("div", element("table", head, body, class_=class_), class_="scroll", tabindex="0")


def script_data(data: Any, name: str) -> Html:
    """`data` as JSON that the page's script finds under the id `name`. Its text can end no script and begin no comment.

    Raises ValueError if it holds NaN or infinity.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))  # ASCII
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return element("script", Html(text), type="application/json", id=name)


def _attribute(key: str, value: str | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f' {name}="{joined(value)}"' if isinstance(value, str) else f" {name}"


def _escape(text: str) -> str:
    return html.escape(printable(text))
