"""Kills one worker at a random moment, so that `paac verify` also verifies recovery."""

import contextlib
import math
import os
import random
import signal
import time
from collections.abc import Mapping
from threading import Timer

from paac_cli.sampling.make import Pool


class WorkerKiller:
    """A metric sink that kills one worker, once, in the first half of the training and in the middle of a rollout.

    The training must log after every rollout.
    """

    def __init__(self, pool: Pool, steps: range) -> None:
        """steps: the range of steps that are trained."""
        self._pool = pool
        self._kill_at: int | None = random.choice(steps[: len(steps) // 2 + 1])
        self._shortest = math.inf  # seconds of a rollout
        self._began: float | None = None  # None in the first rollout, whose duration includes compilation

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        now = time.perf_counter()
        if self._began is not None:
            self._shortest = min(self._shortest, now - self._began)
            if self._kill_at is not None and steps >= self._kill_at:
                self._kill_at = None
                Timer(random.uniform(0.0, self._shortest), self._kill).start()
        self._began = now

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, IndexError):  # the training may have ended
            os.kill(random.choice(self._pool.pids), signal.SIGKILL)
