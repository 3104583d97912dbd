"""Environments whose constructor changes the state of its process."""

import atexit
import builtins
import gc
import locale
import os
import random
import resource
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import gymnasium
import numpy as np

from chaos.zoo.case import Outcome, ends_well
from chaos.zoo.toy import Toy, case


@case(ends_well("paac eval run"), "train && test -d run/checkpoints && play")
class ChangesDirectory(Toy):
    """Changes the current directory in its constructor."""

    def construct(self) -> None:
        Path("elsewhere").mkdir(exist_ok=True)
        os.chdir("elsewhere")


@case(ends_well(), "train && play")
class LeavesThread(Toy):
    """Leaves a thread running that is not a daemon."""

    daemon = False

    def construct(self) -> None:
        threading.Thread(target=time.sleep, args=(1000,), daemon=self.daemon).start()


@case(ends_well())
class LeavesDaemonThread(LeavesThread):
    """Leaves a daemon thread running."""

    daemon = True


@case(ends_well())
class SetsIntervalTimer(Toy):
    """Handles SIGALRM a hundred times per second."""

    def construct(self) -> None:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)


@case(Outcome((0, 1), ("SIGALRM",)))
class SetsAlarm(Toy):
    """Sets an alarm for half a second later, which ends its process."""

    def construct(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.5)

    def step(self, action: object) -> object:
        time.sleep(0.02)
        return super().step(action)


@case(Outcome((130,), ("Stopped", "resume")), "train_until INT")
class HandlesStopSignals(Toy):
    """Installs own handlers of SIGINT and SIGTERM, and unblocks all signals; then comes Ctrl-C."""

    def construct(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


@case(ends_well())
class ClosesStandardStreams(Toy):
    """Closes the descriptors 0, 1 and 2."""

    def construct(self) -> None:
        for descriptor in range(3):
            os.close(descriptor)


@case(ends_well())
class RemovesStandardStreams(Toy):
    """Sets sys.stdout and sys.stderr to None."""

    def construct(self) -> None:
        sys.stdout.close()
        sys.stdout = sys.stderr = None


@case(ends_well(), 'train && test "$(stat -c %a run/config.yaml)" = 644')
class ChangesUmask(Toy):
    """Sets the umask to 777."""

    def construct(self) -> None:
        os.umask(0o777)


@case(ends_well())
class LimitsItsProcess(Toy):
    """Limits open files to 8 and written files to 0 bytes."""

    def construct(self) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@case(ends_well(), "train && play")
class ChangesEnvironmentVariables(Toy):
    """Clears the environment variables, and sets HOME and TMPDIR to nonsense."""

    def construct(self) -> None:
        os.environ.clear()
        os.environ |= {"HOME": "/nowhere", "TMPDIR": "/nowhere", "CUDA_VISIBLE_DEVICES": "x", "TF_XLA_FLAGS": "--x"}


@case(ends_well())
class ChangesLocale(Toy):
    """Sets the locale, the time zone and the encoding of sys.stdout."""

    def construct(self) -> None:
        locale.setlocale(locale.LC_ALL, "C")
        os.environ["TZ"] = "Pacific/Kiritimati"
        time.tzset()
        sys.stdout.reconfigure(encoding="ascii")


@case(ends_well())
class SetsNumpyState(Toy):
    """Seeds the global generators, and changes NumPy's error state and print options."""

    def construct(self) -> None:
        random.seed(0)
        np.random.seed(0)
        np.seterr(all="raise")
        np.set_printoptions(threshold=0, precision=1, formatter={"all": lambda _: "?"})


@case(ends_well(), "train && play")
class PatchesLibraries(Toy):
    """Replaces functions of Gymnasium, time and Python."""

    def construct(self) -> None:
        gymnasium.make = None
        gymnasium.Wrapper.step = lambda self, action: self.env.step(action)
        time.time = lambda: 0.0
        builtins.input = builtins.print


@case(ends_well())
class ChangesInterpreter(Toy):
    """Turns the garbage collector off, and sets hooks for exceptions and threads and tracing."""

    def construct(self) -> None:
        gc.disable()
        sys.excepthook = threading.excepthook = lambda *_: os._exit(9)
        sys.setswitchinterval(1e-6)
        sys.settrace(lambda *_: None)
        warnings.simplefilter("error")


@case(ends_well())
class RegistersExitHandler(Toy):
    """Registers a function for the exit that hangs."""

    def construct(self) -> None:
        atexit.register(time.sleep, 1000)


@case(ends_well())
class ChangesScheduling(Toy):
    """Lowers its priority, pins itself to one core, and makes a session of its own."""

    def construct(self) -> None:
        os.nice(19)
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        if os.getpid() != os.getpgid(0):
            os.setsid()
