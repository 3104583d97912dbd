"""The learner's ends of the worker processes: how they are started, spoken to and ended."""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from paac_cli.errors import WorkerError
from paac_cli.sampling.worker import CLOSE, ERROR, STOP_SIGNALS, WorkerTask, run_worker

_CLOSE_TIMEOUT = 5.0  # seconds that a worker has to end by itself


class WorkerProcess:
    """The learner's end of one worker process."""

    def __init__(self, process: ForkServerProcess, connection: Connection) -> None:
        self._process = process
        self._connection = connection

    def send(self, command: bytes, argument: object = None) -> None:
        try:
            os.write(self._connection.fileno(), command)
            if argument is not None:
                self._connection.send(argument)
        except OSError:
            self.await_ready()  # it is gone; its last words may still be in the pipe

    def await_ready(self) -> None:
        """Raises WorkerError if the worker has failed instead."""
        try:
            answer = os.read(self._connection.fileno(), 1)
            words = self._connection.recv_bytes().decode() if answer == ERROR else ""
        except (EOFError, OSError):
            answer = b""
        if answer == b"":
            self._process.join(_CLOSE_TIMEOUT)
            raise WorkerError(f"{self._process.name} died without a word: {self._last_sign()}")
        if answer == ERROR:
            raise WorkerError(f"{self._process.name} failed:\n{words}")

    def ask_to_end(self) -> None:
        with contextlib.suppress(OSError):  # it may be gone already
            os.write(self._connection.fileno(), CLOSE)

    def join(self) -> None:
        self._process.join(_CLOSE_TIMEOUT)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()

    def _last_sign(self) -> str:
        code = self._process.exitcode
        return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"


def start_workers(tasks: Sequence[WorkerTask]) -> list[WorkerProcess]:
    """One process for each task; they load while this returns."""
    context = multiprocessing.get_context("forkserver")
    environment = "atari" if tasks[0].env_config.is_atari else "gym"
    context.set_forkserver_preload(["paac_cli.sampling.worker", f"paac_cli.envs.{environment}"])
    workers = []
    with stop_signals_blocked():
        for task in tasks:
            ours, theirs = context.Pipe()
            process = context.Process(
                target=run_worker,
                args=(theirs, task),
                name=task.name,
                daemon=True,
            )
            process.start()
            theirs.close()
            workers.append(WorkerProcess(process, ours))
    return workers


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
