"""Prints the progress of a run: a live table on a terminal, lines of text elsewhere."""

import contextlib
import math
import time
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from paac_cli.events import Event
from paac_cli.text import clock, printable

_LINE_EVERY = 10.0  # minimum seconds between lines if there is no terminal
#: Label -> (metric, decimal places) of the metrics that say most about learning. Each algorithm has some of them.
_LEARNING = {
    "entropy": ("train/entropy", 3),
    "epsilon": ("train/epsilon", 3),
    "value loss": ("train/value_loss", 4),
    "loss": ("train/loss", 4),
    "mean Q": ("train/q_mean", 3),
}


class _PipeTolerantConsole(Console):
    """Stops printing when its reader exits, as in `paac train | head`. By default Rich would end the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class ConsoleSink:
    """A `MetricSink` that prints; its method `log` is a `Log`. If printing fails, training continues."""

    def __init__(self, total_steps: int) -> None:
        self._console = console = _PipeTolerantConsole()
        self._total_steps = total_steps
        self._live = Live(console=console, refresh_per_second=2, transient=False) if console.is_terminal else None
        self._last_line = -math.inf
        self._evaluation: dict[str, str] = {}  # the cell of the latest evaluation, if there was one
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.start()

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        """Show a row of metrics."""
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.update(self._table(steps, row))
        elif time.monotonic() - self._last_line >= _LINE_EVERY:
            self._last_line = time.monotonic()
            self._print("  ".join(f"{label} {value}" for label, value in self._cells(steps, row).items()))

    def log(self, event: Event) -> None:
        """Print an event, above the table if there is one."""
        self._print(str(event))

    def close(self) -> None:
        """Leave the table on the terminal as it is."""
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.stop()

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError):  # e.g. a redirection to a full disk; metrics.csv has the numbers, too
            self._console.print(printable(text), soft_wrap=True, highlight=False, markup=False, emoji=False)

    def _cells(self, steps: int, row: Mapping[str, float]) -> dict[str, str]:
        steps_left = max(self._total_steps - steps, 0)  # the last rollout may go beyond total_steps
        speed = {"steps/s": f"{row['time/fps']:,.0f}"} if "time/fps" in row else {}  # not if the run has just resumed
        left = f", at most {clock(steps_left / row['time/fps'])} left" if speed else ""
        shares = ", ".join(f"{name} {row[f'time/{name}_share']:.0%}" for name in ("act", "env", "learn") if speed)
        if "eval/ep_rew_mean" in row:
            mean, std = row["eval/ep_rew_mean"], row["eval/ep_rew_std"]
            self._evaluation = {"evaluation": f"{mean:.2f} (std {std:.2f}) at step {steps:,}"}
        mean_return = row["rollout/ep_rew_mean"]
        return {
            "steps": f"{steps:,} of {self._total_steps:,}",
            "frames": f"{row['time/frames']:,.0f}",
            **speed,
            "time": f"{clock(row['time/time_elapsed'])}{left}",
            "return": "no game finished yet" if math.isnan(mean_return) else f"{mean_return:.2f} (last 100 games)",
            **self._evaluation,
            "games": f"{row['rollout/episodes']:,.0f}",
            **{label: f"{row[name]:.{digits}f}" for label, (name, digits) in _LEARNING.items() if name in row},
            **({"time spent": shares} if shares else {}),
        }

    def _table(self, steps: int, row: Mapping[str, float]) -> Table:
        table = Table.grid(padding=(0, 2))
        for label, value in self._cells(steps, row).items():
            table.add_row(Text(label, style="dim"), Text(value))
        return table
