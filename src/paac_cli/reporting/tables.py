"""Formats tables as text and as Markdown."""

import io
from collections.abc import Container, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from paac_cli.text import one_line


def format_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Container[str] = (), width: int | None = None
) -> str:
    """A table of text with aligned columns. right: the columns that are aligned to the right.

    width: in characters, beyond which cells are folded; None: not limited.
    """
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    text = io.StringIO()
    Console(file=text, width=width or 10_000, color_system=None, emoji=False, markup=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def format_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Container[str] = ()) -> str:
    """The same table in Markdown; cells may hold Markdown."""
    lines = [columns, ["---:" if name in right else "---" for name in columns], *rows]
    return "\n".join(_markdown_row(line) for line in lines)


def _markdown_row(cells: Sequence[str]) -> str:
    escaped = (one_line(cell).replace("|", r"\|") for cell in cells)
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in escaped)}|"
