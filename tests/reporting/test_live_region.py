"""Lines at the bottom of a terminal are redrawn in place, whatever happens to the terminal."""

import sys
import threading
import time

import pytest
from rich.console import Console, ConsoleDimensions
from rich.text import Text

from paac_cli.reporting.live_region import LiveRegion
from screen import Screen


class Terminal:
    """A screen and a console that prints on it."""

    def __init__(self, width=40):
        self.screen = Screen(width)
        self.console = Console(
            file=self.screen, width=width, height=24, force_terminal=True, force_interactive=True, color_system=None
        )

    def resize(self, width, region):
        with region._lock:  # what is drawn in the same moment would be wrong until it is drawn again
            self.screen.resize(width)
            self.console.size = ConsoleDimensions(width, 24)


@pytest.fixture
def terminal():
    return Terminal()


def region_of(terminal, lines):
    """A region that shows the list `lines`, each truncated to the columns that it gets."""
    return LiveRegion(
        terminal.console, lambda width, height: [Text(line[:width], no_wrap=True) for line in lines], seconds=0.05
    )


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the region was not redrawn"
        time.sleep(0.01)


def test_it_is_redrawn_in_place_and_stays_at_the_end(terminal):
    lines = ["one", "two"]
    region = region_of(terminal, lines)
    region.start()
    wait_until(lambda: terminal.screen.lines == ["one", "two"])
    lines[:] = ["three"]
    wait_until(lambda: terminal.screen.lines == ["three"])
    region.print("event")
    assert terminal.screen.lines == ["event", "three"]
    lines[:] = ["four", "five"]
    region.stop()
    terminal.screen.write("$ ")
    assert terminal.screen.lines == ["event", "four", "five", "$"]


def test_the_cursor_is_never_hidden_for_long(terminal):
    """A killed or suspended process cannot show it again."""
    region = region_of(terminal, ["one"])
    region.start()
    assert terminal.screen.cursor_is_visible
    wait_until(lambda: terminal.screen.lines == ["one"])
    assert terminal.screen.cursor_is_visible
    region.stop()
    assert terminal.screen.cursor_is_visible


@pytest.mark.parametrize("widths", [(20,), (70,), (9,), (20, 9, 70), (70, 39, 21, 40)])
def test_a_resized_terminal_shows_it_once(widths, terminal):
    lines = ["a" * 100, "", "b" * 21, "c", "d" * 37]
    region = region_of(terminal, lines)
    terminal.screen.write("before\n")
    region.start()
    for width in (40, *widths):
        if width != terminal.screen.width:
            terminal.resize(width, region)
        shown = ["before", *(line[: width - 3] for line in lines)]
        wait_until(lambda: terminal.screen.lines == shown)  # noqa: B023
    region.stop()
    terminal.screen.write("after")
    assert terminal.screen.lines == [*shown, "after"]


def test_an_event_after_a_resize_is_printed_above_it(terminal):
    lines = ["a" * 100, "b" * 100]
    region = region_of(terminal, lines)
    region.start()
    wait_until(lambda: terminal.screen.lines == ["a" * 37, "b" * 37])
    terminal.resize(20, region)
    region.print("event")
    region.stop()
    assert terminal.screen.lines == ["event", "a" * 17, "b" * 17]


def test_long_lines_of_events_end_between_words(terminal):
    region = region_of(terminal, ["one"])
    region.start()
    region.print(f"Starting with 16 environments on two workers, in {'directory/' * 5}\n  indented")
    region.stop()
    assert terminal.screen.lines == [
        "Starting with 16 environments on two",
        "workers, in",
        "directory/directory/directory/directory/",
        "directory/",
        "  indented",
        "one",
    ]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_other_code_prints_is_above_it_or_in_the_file_where_its_stream_leads(is_terminal, terminal, capsys):
    sys.stdout.isatty = lambda: is_terminal
    region = region_of(terminal, ["one"])
    region.start()
    wait_until(lambda: terminal.screen.lines == ["one"])
    print("from a library")
    region.stop()
    print("later")
    assert terminal.screen.lines == [*["from a library"] * is_terminal, "one"]
    assert capsys.readouterr().out == "from a library\n" * (not is_terminal) + "later\n"


def test_the_echo_of_ctrl_c_leaves_nothing(terminal):
    region = region_of(terminal, ["a" * 100])
    region.start()
    wait_until(lambda: terminal.screen.lines == ["a" * 37])
    terminal.screen.write("^C")
    region.print("Stopping")
    region.stop()
    assert terminal.screen.lines == ["Stopping", "a" * 37]


def test_errors_of_the_terminal_are_ignored(terminal, monkeypatch):
    region = region_of(terminal, ["one"])
    region.start()

    def fail(text):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(terminal.screen, "write", fail)
    region.print("event")
    time.sleep(0.2)  # several times the region is redrawn
    region.stop()
    assert not any(thread.name == "live view" for thread in threading.enumerate())
