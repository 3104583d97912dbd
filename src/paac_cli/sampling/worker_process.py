"""The learner's end of a worker process: start it, send commands, await answers, notice its failure, end it."""

import contextlib
import os
import select
from collections.abc import Callable, Sequence
from typing import NamedTuple

from numpy.typing import NDArray

from paac_cli.errors import StoppedError, WorkerError
from paac_cli.sampling.child_process import ChildProcess
from paac_cli.sampling.closing import CloseProblems
from paac_cli.sampling.layout import NO_ENV
from paac_cli.sampling.worker import CLOSE, CLOSED, CLOSING, ERROR, READY, run_worker
from paac_cli.sampling.worker_envs import WorkerTask

CHECK_EVERY = 1.0  #: seconds between two checks of a worker that does not answer
_STOP_TIMEOUT = 3.0  # seconds that a worker has to answer after the run was asked to stop
_BUSY_TIMEOUT = 5.0  # seconds that a worker has to finish its command after it was asked to end
_INTERRUPT_TIMEOUT = 2.0  # seconds that a worker has to interrupt `close` of an environment


class Timeouts(NamedTuple):
    """How long the learner waits for an answer."""

    hang: float  #: seconds without progress after which a worker counts as hung
    stopping: Callable[[], bool]  #: whether the run was asked to stop: then it waits only briefly
    close: float  #: seconds that `close` of an environment may take


class WorkerProcess:
    """One worker process."""

    def __init__(self, task: WorkerTask, timeouts: Timeouts) -> None:
        """Start it and return while it loads."""
        activity = task.block["activity"][task.worker : task.worker + 1]
        activity["env"], activity["closed_env"] = NO_ENV, task.envs.start  # until the worker itself writes them
        self.child = ChildProcess(
            run_worker, task, name=task.name, env_config=task.games.env_config, send_timeout=timeouts.hang
        )
        self._timeouts = timeouts
        self._connection = self.child.connection
        self._activity: NDArray = activity
        self._last_heartbeats = 0
        self._unanswered = self._silent = 0.0  # seconds without an answer, seconds without a heartbeat
        self._has_loaded = False  # whether it has made its environments
        self._is_closing = False  # whether it has begun to close its environments
        self.problems: CloseProblems = {}  #: what went wrong at its end
        self._poll = select.poll()  # both: a child of the worker may keep the worker's end of the pipe open
        self._poll.register(self._connection.fileno(), select.POLLIN)
        self._poll.register(self.child.death, select.POLLIN)

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def activity(self) -> tuple[int, int]:
        """The environment that it steps, or NO_ENV, and the index of its game; if it hung or failed: at that moment."""
        return int(self._activity["env"][0]), int(self._activity["game"][0])

    @property
    def _closed_env(self) -> int:
        """The environment that it closes, once `_is_closing`."""
        return int(self._activity["closed_env"][0])

    def send(self, command: bytes, argument: object = None) -> None:
        """Never fails: if the worker is dead, `answers_within` reports it."""
        self._has_loaded = True  # commands are sent only then
        with contextlib.suppress(OSError):
            os.write(self._connection.fileno(), command)
            if argument is not None:
                self._connection.send(argument)

    def has_sent(self) -> bool:
        """Whether it has sent something, or is dead."""
        return bool(self._poll.poll(0))

    def answers_within(self, seconds: float) -> bool:
        """Whether the worker finishes its command within `seconds`. If not, this counts as `CHECK_EVERY` seconds.

        Raises ChildFailedError if the worker is dead or hung; WorkerError with the traceback if an environment raised;
        StoppedError if the run was asked to stop and the worker does not answer.
        """
        events = self._poll.poll(seconds * 1000)
        if not events:
            self._count_silence()
            if self._timeouts.stopping() and self._unanswered > _STOP_TIMEOUT:
                raise StoppedError(f"{self.child.name} did not answer after the run was asked to stop")
            if self._silent >= self._timeouts.hang:
                self._activity = self._activity.copy()  # a signal that asks for stacks may also wake the worker
                raise self.child.hang_error(self._timeouts.hang)
            return False
        self._unanswered = self._silent = 0.0
        if all(descriptor == self.child.death for descriptor, _ in events) and not self._connection.poll():
            raise self.child.death_error()
        try:
            answer = os.read(self._connection.fileno(), 1)
            message = self._connection.recv_bytes().decode() if answer == ERROR else ""
        except (EOFError, OSError):
            answer = b""
        if answer == ERROR:
            raise WorkerError(message)
        if answer != READY:  # it has died, or ends without having sent an error
            raise self.child.death_error()
        return True

    def request_end(self) -> None:
        """Ask the worker to close its environments and to end; `can_be_killed_within` waits for it."""
        self._unanswered = self._silent = 0.0
        with contextlib.suppress(OSError):  # it may be dead
            os.write(self._connection.fileno(), CLOSE)

    def can_be_killed_within(self, seconds: float) -> bool:
        """Whether within `seconds` the worker has closed its environments, has died, or has taken too long.

        If not, this counts as `CHECK_EVERY` seconds. `problems` says what went wrong.
        """
        if not self._poll.poll(seconds * 1000):
            self._count_silence()
            return self._must_be_killed()
        self._silent = 0.0
        answer = b""
        with contextlib.suppress(EOFError, OSError):
            if self._connection.poll():  # otherwise it has died
                answer = os.read(self._connection.fileno(), 1)
            if answer == ERROR:
                self._connection.recv_bytes()
            if answer == CLOSED:
                self.problems |= self._connection.recv()
        if self._is_closing and answer == b"":
            self.problems[self._closed_env] = f"ended its process ({self.child.death_error().cause})"
        self._is_closing = self._is_closing or answer == CLOSING
        return answer in (CLOSED, b"")

    def _must_be_killed(self) -> bool:
        timeouts = self._timeouts
        if self._is_closing:
            if self._silent < timeouts.close + _INTERRUPT_TIMEOUT:
                return False
            self.problems[self._closed_env] = (
                f"took longer than {timeouts.close:g} s (sampling.close_timeout), and its worker was killed"
            )
        elif self._unanswered < (_STOP_TIMEOUT if timeouts.stopping() else _BUSY_TIMEOUT):
            return False
        elif self._has_loaded and (env := self.activity[0]) != NO_ENV and not timeouts.stopping():
            self.problems[env] = "was not called: its worker was busy and was killed"
        return True

    def _count_silence(self) -> None:
        # Counts checks, not time: a clock would include the time in which the learner itself was stopped, as by Ctrl-Z.
        heartbeats = int(self._activity["heartbeats"][0])
        self._unanswered += CHECK_EVERY
        self._silent = self._silent + CHECK_EVERY if heartbeats == self._last_heartbeats else 0.0
        self._last_heartbeats = heartbeats


def start_workers(tasks: Sequence[WorkerTask], timeouts: Timeouts) -> list[WorkerProcess]:
    """Start one process for each task and return while they load."""
    with contextlib.ExitStack() as started:
        workers = []
        for task in tasks:
            workers.append(WorkerProcess(task, timeouts))
            started.callback(workers[-1].child.kill)
        started.pop_all()
    return workers
