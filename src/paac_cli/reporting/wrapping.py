"""Divides text into lines by the columns that a terminal needs for it: some characters take two."""

import re

from rich.cells import cell_len, chop_cells


def wrap(text: str, width: int, *, break_words: bool = True) -> list[str]:
    """`text`, one line, as lines of at most `width` columns that end between words; at least one.

    break_words: whether a longer word is divided. Otherwise it stays whole, in a line that is too long.
    """
    lines = [""]
    for word in re.findall(r"\s*\S+", text):
        if not lines[-1] or cell_len(lines[-1] + word) <= width:
            lines[-1] += word
        else:
            lines.append(word.lstrip())
    return [part for line in lines for part in chop_cells(line, width) or [line]] if break_words else lines
