"""Environments whose reset() or step() raises, hangs, crashes or ends its process."""

import ctypes
import os
import re
import signal
import sys
import time
from typing import Any

from chaos.zoo.case import Outcome, ends_well, fails_with_traceback
from chaos.zoo.toy import Toy, case, first_time

_AT = 5  # steps of a game before it goes wrong
_WHERE = ("step", "environment")
_UNCHECKED = "train --set env.fresh_per_episode=false"  # without the check at the start, which would be disturbed


class _GoesWrong(Toy):
    """Calls `go_wrong` at step 5 of every game."""

    def go_wrong(self) -> None:
        raise NotImplementedError

    def step(self, action: Any) -> Any:
        if self.steps == _AT:
            self.go_wrong()
        return super().step(action)


@case(fails_with_traceback("ValueError: the ball is gone", "steps.py", "action", *_WHERE))
class RaisesInStep(_GoesWrong):
    """Raises in step()."""

    def go_wrong(self) -> None:
        raise ValueError("the ball is gone")


@case(fails_with_traceback("ValueError: no map", "reset", lines=40, without=("again",)))
class RaisesInFirstReset(Toy):
    """Raises in the first reset()."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        raise ValueError("no map")


@case(fails_with_traceback("ValueError: no second map"))
class RaisesInSecondReset(Toy):
    """Raises in the second reset()."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        if self.steps:
            raise ValueError("no second map")
        return super().reset(seed=seed)


@case(fails_with_traceback("MemoryError", *_WHERE))
class RunsOutOfMemory(_GoesWrong):
    """Raises MemoryError in step()."""

    def go_wrong(self) -> None:
        raise MemoryError


@case(fails_with_traceback("RecursionError", *_WHERE))
class RecursesInStep(_GoesWrong):
    """Recurses without end in step()."""

    def go_wrong(self) -> None:
        self.go_wrong()


@case(Outcome((1,), ("KeyboardInterrupt",)))
class InterruptsInStep(_GoesWrong):
    """Raises KeyboardInterrupt in step()."""

    def go_wrong(self) -> None:
        raise KeyboardInterrupt


@case(fails_with_traceback("StopIteration", *_WHERE))
class StopsIteration(_GoesWrong):
    """Raises StopIteration in step()."""

    def go_wrong(self) -> None:
        next(iter(()))


@case(fails_with_traceback("ValueError", lines=80))
class RaisesHugeText(_GoesWrong):
    """Raises an exception with a megabyte of text."""

    def go_wrong(self) -> None:
        raise ValueError("long\n" * 200_000)


@case(Outcome((1,), ("exit",)))
class ExitsInStep(_GoesWrong):
    """Calls sys.exit(0) in step()."""

    def go_wrong(self) -> None:
        sys.exit(0)


@case(Outcome((1,), ("exit code 0", *_WHERE)))
class OsExitsInStep(_GoesWrong):
    """Calls os._exit(0) in step(), in every game at the same step."""

    def go_wrong(self) -> None:
        os._exit(0)


@case(Outcome((1,), ("SIGSEGV", *_WHERE), lines=150))
class SegmentationFault(_GoesWrong):
    """Crashes with SIGSEGV at the same step of every game."""

    def go_wrong(self) -> None:
        ctypes.string_at(0)


@case(Outcome((1,), ("SIGABRT", *_WHERE), lines=150))
class Aborts(_GoesWrong):
    """Crashes with SIGABRT at the same step of every game."""

    def go_wrong(self) -> None:
        os.abort()


@case(ends_well("Restarted", "SIGKILL"), _UNCHECKED)
class IsKilledOnce(_GoesWrong):
    """Is killed once."""

    def go_wrong(self) -> None:
        if first_time("killed"):
            os.kill(os.getpid(), signal.SIGKILL)


@case(ends_well("Restarted", "hung for 4 s"), _UNCHECKED)
class HangsOnce(_GoesWrong):
    """Sleeps without end, once."""

    def go_wrong(self) -> None:
        if first_time("hung"):
            time.sleep(10_000)


_HANGS = Outcome((1,), ("hung for 2 s", "sampling.worker_timeout", *_WHERE), lines=120)
_IMPATIENT = "train --set sampling.worker_timeout=2"


@case(_HANGS, _IMPATIENT)
class Sleeps(_GoesWrong):
    """Sleeps without end at the same step of every game."""

    def go_wrong(self) -> None:
        time.sleep(10_000)


@case(_HANGS, _IMPATIENT)
class Spins(_GoesWrong):
    """Computes without end at the same step of every game."""

    def go_wrong(self) -> None:
        while True:
            pass


@case(_HANGS, _IMPATIENT)
class HoldsInterpreterLock(_GoesWrong):
    """Computes without end in C code that holds the lock of the interpreter."""

    def go_wrong(self) -> None:
        re.match(r"(a+)+$", "a" * 50 + "b")


@case(_HANGS, _IMPATIENT)
class WaitsForSignal(_GoesWrong):
    """Waits in C code until any signal arrives, holding the lock of the interpreter."""

    def go_wrong(self) -> None:
        ctypes.PyDLL(None).pause()


@case(_HANGS, _IMPATIENT)
class StopsItself(_GoesWrong):
    """Stops its process with SIGSTOP at the same step of every game."""

    def go_wrong(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)


@case(Outcome((130,), ("stopped|stop",)), "train_until INT --set sampling.worker_timeout=60")
class HangsDuringStop(Toy):
    """Hangs in the second game; Ctrl-C must end the command long before the worker's timeout."""

    def step(self, action: Any) -> Any:
        time.sleep(0.01)
        if self.steps == 15:
            time.sleep(2)
        return super().step(action)
