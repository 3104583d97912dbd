"""Divides text into lines by the columns that a terminal needs for it: some characters take two."""

import io

from rich.console import Console
from rich.text import Text

_CONSOLE = Console(file=io.StringIO())  # only for the rules by which rich wraps


def wrap(text: str, width: int, *, break_words: bool = True) -> list[str]:
    """`text`, one line, as lines of at most `width` columns that end between words; at least one.

    break_words: whether a longer word is divided. Otherwise it stays whole, in a line that is too long.
    """
    lines = Text(text).wrap(_CONSOLE, width, overflow="fold" if break_words else "ignore")
    return [line.plain.rstrip() for line in lines]
