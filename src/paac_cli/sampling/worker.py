"""The main function of a worker process, and the commands that it executes.

The learner sends one byte to start a step, and the worker answers with one byte. Pickles are sent only with a restore
and at the end, and text only with an error. The worker ends when the learner's end of the pipe closes, for whatever
reason.
"""

import contextlib
import os
import random
import select
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import cv2
import numpy as np

from paac_cli.sampling.traces import format_error
from paac_cli.sampling.worker_envs import Activity, WorkerEnvs, WorkerTask
from paac_cli.seeding import episode_seed, integer_seed

STEP, RESTORE, CLOSE = b"s", b"r", b"c"  #: commands of the learner; RESTORE is followed by a `WorkerState`
READY, ERROR = b"k", b"e"  #: answers of the worker; ERROR is followed by a text, and the worker ends
CLOSING, CLOSED = b"b", b"d"  #: sent when it begins to close its environments, and with `CloseProblems` at the end


def run_worker(connection: Connection, task: WorkerTask) -> None:
    """Main function of a worker process, for `ChildProcess`."""
    cv2.setNumThreads(0)
    _configure_scheduling(task.core)
    _seed_global_generators(task)
    with contextlib.suppress(_EnvFailedError, EOFError, BrokenPipeError, ConnectionResetError):  # or the learner ended
        _serve(connection, task)


def _configure_scheduling(core: int | None) -> None:
    """Avoid waiting for time slices of the scheduler while the learner wakes all workers, one after another.

    With SCHED_BATCH the first worker that wakes does not preempt the learner. Pinned to its core, a worker does not
    wait for another worker while a core is idle.
    """
    with contextlib.suppress(OSError):  # some containers forbid it, and are slower
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        if core is not None:
            os.sched_setaffinity(0, {core})


def _seed_global_generators(task: WorkerTask) -> None:
    """Seed the global random generators differently in every worker: all those of a rank are forked from one server.

    Environments should use a generator of their own. Those that do not would otherwise be alike in all workers.
    """
    seed = integer_seed(episode_seed(task.games.seed, task.copy_of(task.envs.start).env_index, 0))
    random.seed(seed)
    np.random.seed(seed)


class _EnvFailedError(Exception):
    """An environment raised. The learner has the text of the error, and the worker ends."""


def _serve(connection: Connection, task: WorkerTask) -> None:
    activity = Activity(task)
    envs = WorkerEnvs(task, activity)
    readable = select.poll()
    readable.register(connection.fileno(), select.POLLIN)
    try:
        with _errors_sent(connection):
            envs.make()
        activity.leave()
        os.write(connection.fileno(), READY)
        while (command := _next_command(connection, readable, envs, task.spin)) not in (CLOSE, b""):
            state = connection.recv() if command == RESTORE else None
            with _errors_sent(connection):
                envs.step() if state is None else envs.restore(state)
            activity.leave()
            os.write(connection.fileno(), READY)
    finally:
        _close(connection, envs)


def _close(connection: Connection, envs: WorkerEnvs) -> None:
    with contextlib.suppress(OSError):  # the learner may have ended
        os.write(connection.fileno(), CLOSING)
    problems = envs.close()
    with contextlib.suppress(OSError):
        os.write(connection.fileno(), CLOSED)
        connection.send(problems)


def _next_command(connection: Connection, readable: select.poll, envs: WorkerEnvs, spin: float) -> bytes:
    """Wait for a command and prepare later games meanwhile. Empty if the learner has ended.

    readable: polls `connection`.
    spin: seconds to wait actively, because waking this process would take tens of microseconds.
    """

    def is_readable() -> bool:
        """Whether the learner has sent something or has ended."""
        return bool(readable.poll(0))

    with _errors_sent(connection):
        while not is_readable() and envs.prepare():
            pass
    deadline = time.perf_counter() + spin
    while time.perf_counter() < deadline and not is_readable():
        os.sched_yield()
    return os.read(connection.fileno(), 1)


@contextlib.contextmanager
def _errors_sent(connection: Connection) -> Iterator[None]:
    """Send the text of any error in this block to the learner, even of one that looks like a closed pipe."""
    try:
        yield
    except BaseException as error:
        text = format_error(error).encode(errors="backslashreplace")  # runs third-party code, which may hang
        os.write(connection.fileno(), ERROR)
        connection.send_bytes(text)
        raise _EnvFailedError from None
