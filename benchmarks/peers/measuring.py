"""Shared by all peers: the command line, measurement windows, and the JSON that they print.

A step is one agent step of one environment, which is four emulator frames. A vector environment that uses a step for a
reset (Gymnasium's autoreset mode NEXT_STEP) reports it as a step, so it is counted as one.

Uses only the standard library, because each peer runs in its own virtual environment.
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
    """The steps that were made in a measured time."""

    steps: int
    seconds: float


class Windows:
    """Counts steps in consecutive windows of equal length, after a warm-up that is not measured."""

    def __init__(self, seconds: float, warm_up: float, count: int = 5) -> None:
        """seconds: length of all `count` windows together. warm_up: length of the warm-up in seconds."""
        self.measured: list[Window] = []
        self._length, self._count = seconds / count, count
        self._steps, self._start = 0, time.perf_counter()
        self._until = self._start + warm_up
        self._warm = False

    def add(self, steps: int) -> bool:
        """Count `steps` more steps. Returns whether the measurement continues."""
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
    """Step all environments until all windows are measured. actions: of consecutive steps, repeated as needed."""
    windows = Windows(arguments.seconds, arguments.warm_up)
    for next_actions in itertools.cycle(actions):
        step(next_actions)
        if not windows.add(arguments.num_envs):
            break
    return windows.measured


def parse_arguments(description: str | None, **choices: Sequence[str]) -> argparse.Namespace:
    """Parse the command line of a peer. choices: further options and their values; the first value is the default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--num-envs", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of measurement, after the warm-up")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds of warm-up")
    for name, allowed in choices.items():
        parser.add_argument(f"--{name.replace('_', '-')}", choices=allowed, default=allowed[0])
    return parser.parse_args()


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def print_result(name: str, windows: Sequence[Window], packages: Iterable[str]) -> None:
    """Print the steps per second and the versions of `packages` as one line of JSON."""
    result = {
        "name": name,
        "steps_per_second": statistics.median(window.steps / window.seconds for window in windows),
        "windows": [window.steps / window.seconds for window in windows],
        "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
    }
    print(json.dumps(result), flush=True)
