"""A worker killed at a moment that nobody has chosen."""

import contextlib
import math
import os
import random
import signal
import time
from collections.abc import Mapping
from threading import Timer

from paac_cli.sampling.pool import WorkerPool


class WorkerKiller:
    """A sink of a training that logs every rollout: once, in the midst of one of the first half, it kills a worker."""

    def __init__(self, pool: WorkerPool, steps: range) -> None:
        """steps: of the training."""
        self._pool = pool
        self._at: int | None = random.choice(steps[: len(steps) // 2 + 1])
        self._shortest = math.inf  # seconds of a rollout
        self._began: float | None = None  # None: the first, in which TensorFlow compiles, says nothing

    def metrics(self, steps: int, row: Mapping[str, float]) -> None:
        now = time.perf_counter()
        if self._began is not None:
            self._shortest = min(self._shortest, now - self._began)
            if self._at is not None and steps >= self._at:
                self._at = None
                Timer(random.uniform(0.0, self._shortest), self._kill).start()
        self._began = now

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, IndexError):  # the training has ended meanwhile
            os.kill(random.choice(self._pool.pids), signal.SIGKILL)
