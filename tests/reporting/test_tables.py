"""Tables as text and as Markdown."""

from paac_cli.reporting.tables import format_markdown


def test_a_markdown_table_keeps_empty_cells_and_pipes():
    table = format_markdown(["a", "b", "c"], [["", "1", "`x|y`"]], right=["b"])
    assert table == "| a | b | c |\n| --- | ---: | --- |\n| | 1 | `x\\|y` |"


def test_a_cell_of_a_markdown_table_stays_on_its_line():
    assert format_markdown(["a"], [["one\ntwo"]]).count("\n") == 2
