"""The parts of Markdown of which the reference consists."""

from collections.abc import Iterable


def code(text: str) -> str:
    """`text` as code."""
    return f"`{text}`"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table whose cells are Markdown."""
    header = tuple(header)
    return "\n".join([_row(header), "|" + "---|" * len(header), *map(_row, rows)])


def _row(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in escaped)}|"
