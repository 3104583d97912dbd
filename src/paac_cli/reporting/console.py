"""How a training shows its progress: a live view on a terminal, lines of text elsewhere, JSON, or only warnings.

If printing fails, training continues: `metrics.csv` and `events.log` have the same.
"""

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from rich.console import Console
from rich.text import Text

from paac_cli.events import CheckpointSaved, Event, Info, LearningStalled, Routine
from paac_cli.reporting.character_graphics import ASCII, UNICODE
from paac_cli.reporting.json_lines import event_line, metrics_line
from paac_cli.reporting.learning_history import LearningHistory
from paac_cli.reporting.live_region import LiveRegion, print_plainly
from paac_cli.reporting.live_view import RunMoment, RunPlan, draw, progress_line, summary
from paac_cli.reporting.stall import StallWatch
from paac_cli.standard_output import results
from paac_cli.text import printable

_LINE_EVERY = 10.0  # minimum seconds between lines about progress, and between lines about checkpoints

OutputStyle = Literal["text", "json", "quiet"]


class View(Protocol):
    """A `MetricSink` that shows a training to a person or a program. Its method `log` is a `Log`."""

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        """Show a row of metrics."""

    def log(self, event: Event) -> None:
        """Show an event."""

    def close(self) -> None:
        """Show the last state, and leave a terminal as it was."""


def open_view(
    style: OutputStyle,
    plan: RunPlan,
    history: LearningHistory,
    watch: StallWatch,
    warn: Callable[[Event], None],
    steps: Callable[[], int],
) -> View:
    """The view for standard output as it is now.

    history, watch: sinks that come before the view. warn: prints the events that are warnings, with style "quiet".
    steps: the number of agent steps so far, at any time.
    """
    if style == "quiet":
        return WarningsOnly(warn)
    is_terminal = results().isatty()  # whatever FORCE_COLOR says
    # COLUMNS and LINES are the terminal's size when the shell set them, and would hide that it has changed since.
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    console = _PipeTolerantConsole(
        file=results(), force_terminal=is_terminal, force_interactive=is_terminal, _environ=env
    )
    if style == "json":
        return JsonLines(console, plan, history)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveView(console, plan, history, watch, steps)
    return TextLines(console, plan, history, steps)


class LiveView:
    """Redraws the state of the run at the bottom of a terminal, and prints events above it."""

    def __init__(
        self,
        console: Console,
        plan: RunPlan,
        history: LearningHistory,
        watch: StallWatch,
        steps: Callable[[], int],
    ) -> None:
        self._plan, self._history, self._watch, self._steps = plan, history, watch, steps
        self._glyphs = ASCII if console.options.ascii_only else UNICODE
        self._row_at = self._event_at = time.monotonic()
        self._event = ""
        self._has_ended = False
        self._region = LiveRegion(console, self._draw)
        self._region.start()

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        self._row_at = time.monotonic()

    def log(self, event: Event) -> None:
        if isinstance(event, LearningStalled):
            return  # it is in the view for as long as it holds
        if not isinstance(event, CheckpointSaved):
            self._region.print(printable(str(event)))
        if not isinstance(event, Info) or self._history.latest is not None:  # the first ones are just above the view
            self._event, self._event_at = str(event), time.monotonic()

    def close(self) -> None:
        self._has_ended = True
        self._region.stop()

    def _draw(self, width: int, height: int) -> Sequence[Text]:
        now, sign = time.monotonic(), self._watch.sign
        hint = f"{sign.symptom}; {sign.advice}" if sign else ""
        steps, waited = (None, 0.0) if self._has_ended else (self._steps(), now - self._row_at)
        moment = RunMoment(self._history, steps, waited, hint, self._event, now - self._event_at, self._has_ended)
        return draw(self._plan, moment, width, height, self._glyphs)


class TextLines:
    """Prints a row of metrics or, where rows are rare, the progress about every ten seconds, and all events but for
    checkpoints in quick succession.
    """

    def __init__(self, console: Console, plan: RunPlan, history: LearningHistory, steps: Callable[[], int]) -> None:
        self._console, self._plan, self._history, self._steps = console, plan, history, steps
        self._row_at = self._line_at = time.monotonic()
        self._printed_row_at = self._checkpoint_at = -math.inf
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._print_progress, name="progress", daemon=True)
        self._thread.start()

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        self._row_at = now = time.monotonic()
        if now - self._printed_row_at >= _LINE_EVERY:
            self._printed_row_at = self._line_at = now
            self._print(summary(self._plan, self._history))

    def log(self, event: Event) -> None:
        if isinstance(event, CheckpointSaved):
            now = time.monotonic()
            if now - self._checkpoint_at < _LINE_EVERY:
                return
            self._checkpoint_at = now
        self._print(str(event))

    def close(self) -> None:
        self._ending.set()
        self._thread.join()

    def _print_progress(self) -> None:
        shown = self._plan.start
        while not self._ending.wait(_LINE_EVERY / 10):
            now, steps = time.monotonic(), self._steps()
            if now - max(self._line_at, self._row_at) >= _LINE_EVERY and steps > shown:
                shown, self._line_at = steps, now
                self._print(progress_line(self._plan, RunMoment(self._history, steps, now - self._row_at)))

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError):  # e.g. a redirection to a full disk
            print_plainly(self._console, printable(text))


class JsonLines:
    """Prints every row of metrics and every event as a JSON object."""

    def __init__(self, console: Console, plan: RunPlan, history: LearningHistory) -> None:
        self._console, self._plan, self._history = console, plan, history

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        self._print(metrics_line(steps, row, summary(self._plan, self._history)))

    def log(self, event: Event) -> None:
        self._print(event_line(event))

    def close(self) -> None:
        pass

    def _print(self, line: str) -> None:
        with contextlib.suppress(OSError):
            print_plainly(self._console, line)


class WarningsOnly:
    """Shows only the events that are warnings."""

    def __init__(self, warn: Callable[[Event], None]) -> None:
        self._warn = warn

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        pass

    def log(self, event: Event) -> None:
        if not isinstance(event, Routine):
            self._warn(event)

    def close(self) -> None:
        pass


class _PipeTolerantConsole(Console):
    """Stops printing when its reader exits, as in `paac train | head`. By default Rich would end the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
