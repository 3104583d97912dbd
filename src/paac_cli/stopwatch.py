"""Where the time of the training loop goes."""

import time
from typing import Literal


class Stopwatch:
    """Attributes wall time to acting, waiting for environments and learning."""

    def __init__(self) -> None:
        self._start = self._mark = time.perf_counter()
        self._spent = {"act": 0.0, "env": 0.0, "learn": 0.0}

    def lap(self, name: Literal["act", "env", "learn"]) -> None:
        """The time since the last lap was spent on `name`."""
        now = time.perf_counter()
        self._spent[name] += now - self._mark
        self._mark = now

    def skip(self) -> None:
        """The time since the last lap was spent on something else."""
        self._mark = time.perf_counter()

    def read(self) -> tuple[float, dict[str, float]]:
        """Seconds from the last reading to the last lap, skipped ones included; and seconds by name."""
        elapsed, spent = self._mark - self._start, self._spent
        self._start, self._spent = self._mark, dict.fromkeys(spent, 0.0)
        return elapsed, spent
