"""The learner's end of a worker process: start it, send commands, await answers, notice its failure, end it."""

import contextlib
import multiprocessing
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import NamedTuple

from numpy.typing import NDArray

from paac_cli.config.schema import EnvConfig
from paac_cli.errors import StoppedError, WorkerError
from paac_cli.sampling.layout import NO_ENV
from paac_cli.sampling.worker import CLOSE, ERROR, SHOW_STACKS, STOP_SIGNALS, run_worker
from paac_cli.sampling.worker_envs import WorkerTask

CHECK_EVERY = 1.0  #: seconds between two checks of a worker that does not answer
_DEATH_TIMEOUT = 5.0  # seconds from the end of a worker's pipe to the end of its process
_STOP_TIMEOUT = 3.0  # seconds that a worker has to answer after the run was asked to stop
_STACKS_TIMEOUT = 0.5  # seconds that a hung worker has to write the stacks of its threads
_START_ATTEMPTS = 5
_PIPE_BYTES = 65_536  # capacity of a pipe


class WorkerFailedError(Exception):
    """A worker process died or hangs. It can be replaced."""

    def __init__(self, cause: str, stacks: str) -> None:
        """cause: e.g. "killed by SIGSEGV". stacks: those of its threads, as far as it could still write them."""
        super().__init__(cause)
        self.cause, self.stacks = cause, stacks


class Timeouts(NamedTuple):
    """How long the learner waits for an answer."""

    hang: float  #: seconds without progress after which a worker counts as hung
    stopping: Callable[[], bool]  #: whether the run was asked to stop: then it waits only briefly


class WorkerProcess:
    """One worker process."""

    def __init__(
        self, process: ForkServerProcess, connection: Connection, stacks_pipe: Connection, task: WorkerTask
    ) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self._process, self._connection, self._stacks_pipe = process, connection, stacks_pipe
        self._heartbeats: NDArray = task.block["activity"]["heartbeats"][task.worker : task.worker + 1]
        self._last_heartbeats = 0
        self._unanswered = self._silent = 0.0  # seconds without an answer, seconds without a heartbeat
        self._death = _open_process(process)
        self._poll = select.poll()  # both: a child of the worker may keep the worker's end of the pipe open
        self._poll.register(connection.fileno(), select.POLLIN)
        self._poll.register(self._death, select.POLLIN)

    def send(self, command: bytes, argument: object = None) -> None:
        """Never fails: if the worker is dead, `answers_within` reports it."""
        with contextlib.suppress(OSError):
            os.write(self._connection.fileno(), command)
            if argument is not None:
                self._connection.send(argument)

    def answers_within(self, seconds: float, timeouts: Timeouts) -> bool:
        """Whether the worker finishes its command within `seconds`. If not, this counts as `CHECK_EVERY` seconds.

        Raises WorkerFailedError if the worker is dead or hung; WorkerError with the traceback if an environment raised;
        StoppedError if the run was asked to stop and the worker does not answer.
        """
        events = self._poll.poll(seconds * 1000)
        if not events:
            self._count_silence(timeouts)
            return False
        self._unanswered = self._silent = 0.0
        if all(descriptor == self._death for descriptor, _ in events) and not self._connection.poll():
            raise WorkerFailedError(self._cause_of_death(), self._read_stacks())
        try:
            answer = os.read(self._connection.fileno(), 1)
            message = self._connection.recv_bytes().decode() if answer == ERROR else ""
        except (EOFError, OSError):
            answer = b""
        if answer == b"":
            raise WorkerFailedError(self._cause_of_death(), self._read_stacks())
        if answer == ERROR:
            raise WorkerError(message)
        return True

    def request_end(self) -> None:
        """Ask the worker to close its environments and to end."""
        with contextlib.suppress(OSError):  # it may be dead
            os.write(self._connection.fileno(), CLOSE)

    def join(self, deadline: float) -> None:
        """Wait for the end of the process; kill it at `deadline` (of `time.monotonic`)."""
        self._process.join(max(deadline - time.monotonic(), 0.0))
        self.kill()

    def kill(self) -> None:
        """Kill the process, whatever its state, and wait until it is dead. May be called twice."""
        if not self._connection.closed:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._death, signal.SIGKILL)
            wait([self._death], _DEATH_TIMEOUT)
            self._process.join(_DEATH_TIMEOUT)
            os.close(self._death)
            self._connection.close()
            self._stacks_pipe.close()

    def _count_silence(self, timeouts: Timeouts) -> None:
        # Counts checks, not time: a clock would include the time in which the learner itself was stopped, as by Ctrl-Z.
        heartbeats = int(self._heartbeats[0])
        self._unanswered += CHECK_EVERY
        self._silent = self._silent + CHECK_EVERY if heartbeats == self._last_heartbeats else 0.0
        self._last_heartbeats = heartbeats
        if timeouts.stopping() and self._unanswered > _STOP_TIMEOUT:
            raise StoppedError(f"{self._process.name} did not answer after the run was asked to stop")
        if self._silent >= timeouts.hang:
            raise WorkerFailedError(f"hung for {timeouts.hang:g} s", self._request_stacks())

    def _cause_of_death(self) -> str:
        self._process.join(_DEATH_TIMEOUT)
        code = self._process.exitcode
        if code is None:
            return "closed its pipe without ending"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def _request_stacks(self) -> str:
        """The stacks of a process that runs; empty if the process is stopped."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._death, SHOW_STACKS)
        return self._read_stacks(_STACKS_TIMEOUT)

    def _read_stacks(self, timeout: float = 0.0) -> str:
        """What the process has written to its pipe for stacks; waits up to `timeout` seconds for more."""
        text = b""
        while self._stacks_pipe.poll(timeout) and (more := os.read(self._stacks_pipe.fileno(), _PIPE_BYTES)):
            text += more
        return text.decode(errors="replace").strip()


def start_workers(tasks: Sequence[WorkerTask], send_timeout: float) -> list[WorkerProcess]:
    """Start one process for each task and return while they load.

    send_timeout: seconds after which `send` gives up on a worker that does not read.
    """
    context = fork_server("sampling.worker", tasks[0].env_config)
    workers = []
    with stop_signals_blocked():
        for task in tasks:
            task.block["activity"]["env"][task.worker] = NO_ENV  # until the worker itself writes it
            ours, theirs = context.Pipe()
            stacks_pipe, their_stacks_pipe = context.Pipe(duplex=False)
            os.set_blocking(their_stacks_pipe.fileno(), False)  # a crashing worker must not wait for a full pipe
            _limit_send_time(ours, send_timeout)
            process = context.Process(
                target=run_worker, args=(theirs, task, their_stacks_pipe), name=task.name, daemon=True
            )
            _start(process)
            theirs.close()
            their_stacks_pipe.close()
            workers.append(WorkerProcess(process, ours, stacks_pipe, task))
    return workers


def fork_server(module: str, config: EnvConfig) -> ForkServerContext:
    """The context that forks processes from a server, which dies with the learner.

    The server imports `module` (of `paac_cli`) and what the environments need once, for all processes.
    """
    context = multiprocessing.get_context("forkserver")
    environment = "envs.atari" if config.is_atari else "envs.gym"
    context.set_forkserver_preload([f"paac_cli.{name}" for name in ("sampling.parent_death", module, environment)])
    return context


def _start(process: ForkServerProcess) -> None:
    """Start `process`, and try again if the fork server has died, which the library may notice only now.

    Raises WorkerError if the server keeps dying.
    """
    for attempts_left in reversed(range(_START_ATTEMPTS)):
        try:
            return process.start()
        except (EOFError, ConnectionError):
            if not attempts_left:
                break
            time.sleep(0.1)
    raise WorkerError(
        f"the fork server, which starts the workers, died {_START_ATTEMPTS} times in a row; one of its imports may "
        "crash. To find out, run `python -c 'import numpy, cv2, ale_py, gymnasium, numba'`"
    )


def _open_process(process: ForkServerProcess) -> int:
    """A descriptor that becomes readable when `process` dies, even if the fork server died before it."""
    assert process.pid is not None
    try:
        return os.pidfd_open(process.pid)
    except ProcessLookupError:  # it is dead already, and its exit code can be read from here
        return os.dup(process.sentinel)


def _limit_send_time(connection: Connection, seconds: float) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as ours:
        whole = int(seconds)
        timeout = struct.pack("@ll", whole, int((seconds - whole) * 1e6))
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)


@contextlib.contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Block `STOP_SIGNALS` in this process, and in the processes that it starts meanwhile, which inherit that.

    Ctrl-C and a SIGTERM to the whole process group are for the learner, which decides. A worker that is just starting
    would die of them with a traceback. In the learner they are only delayed.
    """
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    resource_tracker.ensure_running()  # it must inherit the mask too, and its start unblocks some signals
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
