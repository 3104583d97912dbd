"""The last lines of a terminal, redrawn in place while other lines are printed above them."""

import contextlib
import sys
import threading
from collections.abc import Callable, Sequence

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from paac_cli.reporting.wrapping import wrap

_MARGIN = 3  # columns on the right: room for the ^C that the terminal prints, so that it does not begin a new line
_ERASE_AND_UP = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))


class LiveRegion:
    """Redraws its lines regularly in a thread, so that the caller never waits for that.

    The cursor stays visible: a process that is killed or suspended cannot show it again. Errors of the terminal are
    ignored.
    """

    def __init__(self, console: Console, draw: Callable[[int, int], Sequence[Text]], seconds: float = 0.5) -> None:
        """draw: gives the lines for a number of columns and of lines; called every so many seconds, and by `stop`."""
        self._console, self._draw, self._seconds = console, draw, seconds
        self._width, self._drawn = console.width, list[int]()  # columns of the terminal, and of each line
        self._lock = threading.Lock()
        self._live = Live(
            console=console,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
            get_renderable=self._render,
        )
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep_fresh, name="live view", daemon=True)

    def start(self) -> None:
        with contextlib.suppress(OSError):
            self._live.start()
            self._console.show_cursor(True)
        self._thread.start()

    def print(self, text: str) -> None:
        """Print `text` above the region, in lines that end between words; a long word, e.g. a path, stays whole."""
        with self._lock, contextlib.suppress(OSError):
            self._erase_wrapped_lines()
            lines = [part for line in text.splitlines() for part in wrap(line, self._console.width, break_words=False)]
            print_plainly(self._console, "\n".join(lines))

    def stop(self) -> None:
        """Draw the lines for the last time and leave them there."""
        self._ending.set()
        self._thread.join()
        with self._lock, contextlib.suppress(OSError):
            self._erase_wrapped_lines()
            self._live.stop()

    def _keep_fresh(self) -> None:
        while not self._ending.wait(self._seconds):
            with self._lock, contextlib.suppress(OSError):
                self._erase_wrapped_lines()
                self._live.refresh()

    def _render(self) -> Group:
        size = self._console.size
        lines = self._draw(size.width - _MARGIN, size.height - 1)
        self._drawn = [line.cell_len for line in lines]
        return Group(*lines)

    def _erase_wrapped_lines(self) -> None:
        """If the terminal has become narrower, move to the line where the region would end if none were wrapped.

        Terminals wrap the lines that they show when they become too narrow for them. `Live` does not know that, and
        would leave the first lines of the region there.
        """
        width, before = self._console.width, self._width
        self._width = width
        if width < before:
            added = sum((cells - 1) // width for cells in self._drawn if cells)
            self._console.control(Control(*_ERASE_AND_UP * added))


def print_plainly(console: Console, text: str) -> None:
    """Print `text` as it is. Raises OSError."""
    console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)
