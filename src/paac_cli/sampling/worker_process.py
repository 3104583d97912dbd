"""The learner's ends of the worker processes: how they are started, spoken to and ended, and how they are lost."""

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
from paac_cli.sampling.layout import NOWHERE
from paac_cli.sampling.worker import CLOSE, ERROR, SHOW_STACKS, STOP_SIGNALS, WorkerTask, run_worker

_DEATH_TIMEOUT = 5.0  # seconds from the end of a worker's pipe to its own
LOOK_EVERY = 1.0  # seconds between two looks at a worker that does not answer
_STOP_PATIENCE = 3.0  # seconds that a worker has to answer once the run shall stop
_STACKS_PATIENCE = 0.5  # seconds for a worker that hangs to go on writing its stacks
_START_ATTEMPTS = 5
_STACKS_BYTES = 65_536  # what a pipe holds


class WorkerLostError(Exception):
    """A worker process is dead, or as good as dead. Another can take its place."""

    def __init__(self, cause: str, stacks: str) -> None:
        """cause: e.g. "killed by SIGSEGV"; stacks: those of its threads, as far as it could still write them."""
        super().__init__(cause)
        self.cause, self.stacks = cause, stacks


class Patience(NamedTuple):
    """How long an answer is waited for."""

    seconds: float  #: without a sign of life, after which a worker is given up
    stopping: Callable[[], bool]  #: whether the run shall stop


class WorkerProcess:
    """The learner's end of one worker process."""

    def __init__(
        self, process: ForkServerProcess, connection: Connection, last_words: Connection, task: WorkerTask
    ) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self._process, self._connection, self._last_words = process, connection, last_words
        self._beats: NDArray = task.block["place"]["beats"][task.worker : task.worker + 1]
        self._beats_seen = 0
        self._late = self._silent = 0.0  # seconds without an answer, without a sign of life
        self._death = _open_process(process)
        self._signs = select.poll()  # of life or death; the pipe alone may be kept open by a child of its own
        self._signs.register(connection.fileno(), select.POLLIN)
        self._signs.register(self._death, select.POLLIN)

    def send(self, command: bytes, argument: object = None) -> None:
        """What becomes of it, `answers_within` tells."""
        with contextlib.suppress(OSError):
            os.write(self._connection.fileno(), command)
            if argument is not None:
                self._connection.send(argument)

    def answers_within(self, seconds: float, patience: Patience) -> bool:
        """Whether the answer to a command comes; they come in the order of the commands. If it does not, `LOOK_EVERY`
        seconds of silence are held against it.

        Raises WorkerLostError if it is dead or has shown no sign of life for too long; WorkerError with its traceback
        if an environment has raised; StoppedError if the run shall stop and it does not answer.
        """
        signs = self._signs.poll(seconds * 1000)
        if not signs:
            self._note_silence(patience)
            return False
        self._late = self._silent = 0.0
        if all(descriptor == self._death for descriptor, _ in signs) and not self._connection.poll():
            raise WorkerLostError(self._cause_of_death(), self._stacks())
        try:
            answer = os.read(self._connection.fileno(), 1)
            words = self._connection.recv_bytes().decode() if answer == ERROR else ""
        except (EOFError, OSError):
            answer = b""
        if answer == b"":
            raise WorkerLostError(self._cause_of_death(), self._stacks())
        if answer == ERROR:
            raise WorkerError(words)
        return True

    def ask_to_end(self) -> None:
        with contextlib.suppress(OSError):  # it may be gone already
            os.write(self._connection.fileno(), CLOSE)

    def join(self, deadline: float) -> None:
        """Wait until it has ended by itself, and end it if it has not by `deadline` (`time.monotonic`)."""
        self._process.join(max(deadline - time.monotonic(), 0.0))
        self.kill()

    def kill(self) -> None:
        """End it, whatever state it is in, and wait until it writes no more."""
        if not self._connection.closed:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._death, signal.SIGKILL)
            wait([self._death], _DEATH_TIMEOUT)
            self._process.join(_DEATH_TIMEOUT)
            os.close(self._death)
            self._connection.close()
            self._last_words.close()

    def _note_silence(self, patience: Patience) -> None:
        # In looks: a clock would count the time in which we were stopped ourselves, as by Ctrl-Z.
        beats = int(self._beats[0])
        self._late += LOOK_EVERY
        self._silent = self._silent + LOOK_EVERY if beats == self._beats_seen else 0.0
        self._beats_seen = beats
        if patience.stopping() and self._late > _STOP_PATIENCE:
            raise StoppedError(f"{self._process.name} did not answer when the run was to stop")
        if self._silent >= patience.seconds:
            raise WorkerLostError(f"hung for {patience.seconds:g} s", self._stacks_now())

    def _cause_of_death(self) -> str:
        self._process.join(_DEATH_TIMEOUT)
        code = self._process.exitcode
        if code is None:
            return "silent: it has closed its pipe"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def _stacks_now(self) -> str:
        """Those of a process that runs, or spins; one that is stopped says nothing."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._death, SHOW_STACKS)
        return self._stacks(_STACKS_PATIENCE)

    def _stacks(self, patience: float = 0.0) -> str:
        """What it has written; patience: seconds until what it is still writing comes."""
        text = b""
        while self._last_words.poll(patience) and (more := os.read(self._last_words.fileno(), _STACKS_BYTES)):
            text += more
        return text.decode(errors="replace").strip()


def start_workers(tasks: Sequence[WorkerTask], send_timeout: float) -> list[WorkerProcess]:
    """One process for each task; they load while this returns.

    send_timeout: seconds after which what a worker does not take is not sent.
    """
    context = server_with("sampling.worker", tasks[0].env_config)
    workers = []
    with stop_signals_blocked():
        for task in tasks:
            task.block["place"]["env"][task.worker] = NOWHERE  # until it says otherwise
            ours, theirs = context.Pipe()
            last_words, theirs_too = context.Pipe(duplex=False)
            os.set_blocking(theirs_too.fileno(), False)  # it shall not wait for room to die
            _limit_sending(ours, send_timeout)
            process = context.Process(
                target=run_worker,
                args=(theirs, task, theirs_too),
                name=task.name,
                daemon=True,
            )
            _start(process)
            theirs.close()
            theirs_too.close()
            workers.append(WorkerProcess(process, ours, last_words, task))
    return workers


def server_with(module: str, config: EnvConfig) -> ForkServerContext:
    """The server that forks processes, which end with the learner; `module` of paac's, and what the environments need,
    is imported there once for all of them.
    """
    context = multiprocessing.get_context("forkserver")
    environment = "envs.atari" if config.is_atari else "envs.gym"
    context.set_forkserver_preload([f"paac_cli.{name}" for name in ("sampling.parent_death", module, environment)])
    return context


def _start(process: ForkServerProcess) -> None:
    """Once more where the server that forks it has died, of which the library may not yet know.

    Raises WorkerError where it dies again and again.
    """
    for left in reversed(range(_START_ATTEMPTS)):
        try:
            return process.start()
        except (EOFError, ConnectionError):
            if not left:
                break
            time.sleep(0.1)
    raise WorkerError(
        f"the process from which workers are forked has died {_START_ATTEMPTS} times while it started; what it imports "
        "may crash, as `python -c 'import numpy, cv2, ale_py, gymnasium, numba'` would show"
    )


def _open_process(process: ForkServerProcess) -> int:
    """A descriptor that can be read from when `process` is dead, whoever its parent is by then."""
    assert process.pid is not None
    try:
        return os.pidfd_open(process.pid)
    except ProcessLookupError:  # dead already; here lies its exit code
        return os.dup(process.sentinel)


def _limit_sending(connection: Connection, seconds: float) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as ours:
        whole = int(seconds)
        timeout = struct.pack("@ll", whole, int((seconds - whole) * 1e6))
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)


@contextlib.contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Children inherit it: Ctrl-C and a SIGTERM to the whole group reach the learner, which decides, and
    find no half-started worker that would die with a traceback. Ours are only put off.
    """
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    resource_tracker.ensure_running()  # it shall inherit this too; when it starts, some of ours are unblocked
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
