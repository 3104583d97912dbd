"""Environments that start processes, and those that attack the processes around them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

from chaos.zoo.case import Outcome, ends_well
from chaos.zoo.toy import Toy, case, first_time

_SLEEP = (sys.executable, "-c", "import time; time.sleep(1000)")  # a simulator


def _double(connection: Connection) -> None:
    while True:
        connection.send(2 * connection.recv())


@case(ends_well(), "train && train --total-steps 480")
class ForksChild(Toy):
    """Forks a child that stays; the run's lock must be free afterwards."""

    def construct(self) -> None:
        if os.fork() == 0:
            time.sleep(1000)


@case(ends_well())
class ForksStubbornChild(Toy):
    """Forks a child that ignores all signals that can be ignored."""

    def construct(self) -> None:
        if os.fork() == 0:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN)
            while True:
                time.sleep(1)


@case(ends_well(), "train && play")
class UsesMultiprocessing(Toy):
    """Computes its rewards in a process of multiprocessing, which nothing ends."""

    def construct(self) -> None:
        self.pipe, other = multiprocessing.get_context("fork").Pipe()
        multiprocessing.get_context("fork").Process(target=_double, args=(other,)).start()

    def step(self, action: Any) -> Any:
        self.pipe.send(1.0)
        obs, _, terminated, truncated, info = super().step(action)
        return obs, self.pipe.recv(), terminated, truncated, info


@case(ends_well())
class UsesPool(Toy):
    """Has a pool of multiprocessing, and leaves it open."""

    def construct(self) -> None:
        self.pool = multiprocessing.get_context("fork").Pool(1)

    def step(self, action: Any) -> Any:
        self.pool.apply(abs, (-1,))
        return super().step(action)


@case(ends_well())
class UsesSpawn(Toy):
    """Starts a process of multiprocessing with the method spawn."""

    def construct(self) -> None:
        process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0.1,))
        process.start()
        process.join()


@case(ends_well())
class LeavesSharedMemory(Toy):
    """Creates shared memory, and never unlinks it."""

    def construct(self) -> None:
        self.memory = SharedMemory(create=True, size=1000)


@case(ends_well(), "train && play")
class StartsSimulator(Toy):
    """Starts a program, and ends it in close()."""

    def construct(self) -> None:
        self.simulator = subprocess.Popen(_SLEEP)

    def close(self) -> None:
        self.simulator.kill()
        self.simulator.wait()


@case(ends_well(), "train && play")
class ForgetsSimulator(StartsSimulator):
    """Starts a program, and never ends it."""

    def close(self) -> None:
        pass


@case(ends_well("Restarted", "SIGKILL"), "train --set env.fresh_per_episode=false")
class KillsItselfBesideSimulator(ForgetsSimulator):
    """Is killed once in a game, while its simulator runs."""

    def step(self, action: Any) -> Any:
        if self.steps == 5 and first_time("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)


@case(
    Outcome((137,)),
    'training --total-steps 1_000_000; kill -KILL $pid; wait $pid; code=$?; rm -rf "$TMPDIR"/pymp-*; exit $code',
)
class LearnerIsKilled(ForgetsSimulator):
    """Starts a program; then the learner is killed."""


@case(ends_well())
class StartsSimulatorInShell(Toy):
    """Starts a program through a shell, in the background of a shell."""

    def construct(self) -> None:
        subprocess.run(["bash", "-c", "sleep 1000 & sleep 1000 & true"], check=True)


@case(ends_well())
class StartsSimulatorInSession(Toy):
    """Starts a program in a session of its own."""

    def construct(self) -> None:
        self.simulator = subprocess.Popen(_SLEEP, start_new_session=True)


@case(ends_well())
class KillsItsParent(Toy):
    """Kills its parent process, the server that forks workers."""

    def construct(self) -> None:
        os.kill(os.getppid(), signal.SIGKILL)


@case(Outcome((1, 2), ("SIGKILL",)))
class KillsItsGroup(Toy):
    """Kills its process group."""

    def construct(self) -> None:
        os.killpg(0, signal.SIGKILL)
