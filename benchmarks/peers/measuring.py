"""What every peer shares: its arguments, the clock, and the line of JSON that it prints.

A step is one agent step of one environment, which is four emulator frames. A vector environment that spends a step on
a reset (Gymnasium's autoreset mode NEXT_STEP) reports it as a step, and so it is counted as one.

Standard library only: each peer runs in an environment of its own.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from typing import NamedTuple, TypeVar

Actions = TypeVar("Actions")


class Window(NamedTuple):
    steps: int
    seconds: float


class Windows:
    """Counts steps in windows of equal length, after a warm-up that does not count."""

    def __init__(self, seconds: float, warm_up: float, count: int = 5) -> None:
        """seconds: of all `count` windows together."""
        self.measured: list[Window] = []
        self._length, self._count = seconds / count, count
        self._steps, self._start = 0, time.perf_counter()
        self._until = self._start + warm_up
        self._warm = False

    def more(self, steps: int) -> bool:
        """`steps` more were made; True while there is something left to measure."""
        self._steps += steps
        now = time.perf_counter()
        if now >= self._until:
            if self._warm:
                self.measured.append(Window(self._steps, now - self._start))
            self._warm, self._steps, self._start, self._until = True, 0, now, now + self._length
        return len(self.measured) < self._count


def sample(
    step: Callable[[Actions], object], actions: Iterable[Actions], arguments: argparse.Namespace
) -> list[Window]:
    """Step all environments with `actions`, over and over, until all windows are measured."""
    windows = Windows(arguments.seconds, arguments.warm_up)
    for chosen in itertools.cycle(actions):
        step(chosen)
        if not windows.more(arguments.num_envs):
            break
    return windows.measured


def arguments_of(description: str | None, **choices: Sequence[str]) -> argparse.Namespace:
    """The command line of a peer. choices: further options, by name, whose first choice is the default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--num-envs", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured, after the warm-up")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds")
    for name, allowed in choices.items():
        parser.add_argument(f"--{name.replace('_', '-')}", choices=allowed, default=allowed[0])
    return parser.parse_args()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def report(name: str, windows: Sequence[Window], packages: Iterable[str]) -> None:
    """Print what was measured."""
    result = {
        "name": name,
        "steps_per_second": statistics.median(window.steps / window.seconds for window in windows),
        "windows": [window.steps / window.seconds for window in windows],
        "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
    }
    print(json.dumps(result), flush=True)
