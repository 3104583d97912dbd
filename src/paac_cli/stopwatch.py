"""Measures where the training loop spends its time."""

import time
from typing import Literal


class Stopwatch:
    """Attributes wall time to acting, waiting for environments and learning."""

    def __init__(self) -> None:
        self._start = self._mark = time.perf_counter()
        self._spent = {"act": 0.0, "env": 0.0, "learn": 0.0}

    def lap(self, name: Literal["act", "env", "learn"]) -> None:
        """Attribute the time since the last lap to `name`."""
        now = time.perf_counter()
        self._spent[name] += now - self._mark
        self._mark = now

    def skip(self) -> None:
        """Attribute the time since the last lap to none of them."""
        self._mark = time.perf_counter()

    def exclude(self) -> float:
        """The seconds since the last lap, which are attributed to none of them and do not count as elapsed."""
        now = time.perf_counter()
        seconds, self._mark = now - self._mark, now
        self._start += seconds
        return seconds

    @property
    def elapsed(self) -> float:
        """Wall seconds from the previous `read` to the last lap."""
        return self._mark - self._start

    def read(self) -> tuple[float, dict[str, float]]:
        """(wall seconds, seconds by name) from the previous `read` to the last lap. Skipped time counts as elapsed."""
        elapsed, spent = self.elapsed, self._spent
        self._start, self._spent = self._mark, dict.fromkeys(spent, 0.0)
        return elapsed, spent
