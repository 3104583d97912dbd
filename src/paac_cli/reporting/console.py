"""What a run shows while it goes: a live table on a terminal, plain lines elsewhere."""

import contextlib
import math
import time
from collections.abc import Mapping
from datetime import timedelta

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

_PLAIN_EVERY = 10.0  # seconds between lines where there is no terminal
#: Label -> metric and its digits, of those that say most about learning; an algorithm has some of them.
_LEARNING = {
    "entropy": ("train/entropy", 3),
    "epsilon": ("train/epsilon", 3),
    "value loss": ("train/value_loss", 4),
    "loss": ("train/loss", 4),
    "mean Q": ("train/q_mean", 3),
}


class _PatientConsole(Console):
    """Falls silent when its reader leaves, as in `paac train | head`, where Rich would end the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class ConsoleSink:
    """Shows metrics; a sink of the training loop. Whatever becomes of the terminal, training goes on."""

    def __init__(self, total_steps: int) -> None:
        self._console = console = _PatientConsole()
        self._total_steps = total_steps
        self._live = Live(console=console, refresh_per_second=2, transient=False) if console.is_terminal else None
        self._last_line = -math.inf
        if self._live is not None:
            self._live.start()

    def metrics(self, steps: int, row: Mapping[str, float]) -> None:
        if self._live is not None:
            self._live.update(self._table(steps, row))
        elif time.monotonic() - self._last_line >= _PLAIN_EVERY:
            self._last_line = time.monotonic()
            line = "  ".join(f"{label} {value}" for label, value in self._cells(steps, row).items())
            self.event(line)

    def event(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a full disk below `> log`; metrics.csv is what counts
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def close(self) -> None:
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.stop()

    def _cells(self, steps: int, row: Mapping[str, float]) -> dict[str, str]:
        fps = row["time/fps"]
        left = max(self._total_steps - steps, 0) / fps  # the last rollout may go beyond
        shares = " ".join(f"{name} {row[f'time/{name}_share']:.0%}" for name in ("env", "act", "learn"))
        mean_return = row["rollout/ep_rew_mean"]
        return {
            "steps": f"{steps:,} of {self._total_steps:,}",
            "frames": f"{row['time/frames']:,.0f}",
            "steps/s": f"{fps:,.0f}",
            "time": f"{_clock(row['time/time_elapsed'])}, at most {_clock(left)} to go",
            "return": "no game finished yet" if math.isnan(mean_return) else f"{mean_return:.2f} (last 100 games)",
            "games": f"{row['rollout/episodes']:,.0f}",
            **{label: f"{row[name]:.{digits}f}" for label, (name, digits) in _LEARNING.items() if name in row},
            "spent on": shares,
        }

    def _table(self, steps: int, row: Mapping[str, float]) -> Table:
        table = Table.grid(padding=(0, 2))
        for label, value in self._cells(steps, row).items():
            table.add_row(Text(label, style="dim"), Text(value))
        return table


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))) if math.isfinite(seconds) else "?"
