"""Starts processes from a fork server: a process that has imported the emulator once, for all of them.

The server is that of `multiprocessing`. It and Python's resource tracker find their modules as `python -P` does: files
in the current directory cannot take the place of a library. Environments are imported in the server's children only.
"""

import contextlib
import functools
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from paac_cli.config.env import EnvConfig
from paac_cli.errors import ConfigError, WorkerError
from paac_cli.sampling.child import STOP_SIGNALS
from paac_cli.sampling.safe_path import safe_path

_START_ATTEMPTS = 5
_MAX_SOCKET_PATH = 107  # bytes of the path of a socket
_SOCKET = "pymp-12345678/listener-12345678"  # the path of multiprocessing's socket, in the directory for it
_SHORT_DIRECTORIES = ("/tmp", "/var/tmp", "/dev/shm")


def fork_server(config: EnvConfig) -> ForkServerContext:
    """The context that forks processes from the server, which ends with this process.

    The server imports what the environment `config.id` needs, apart from the environment itself.
    """
    context = multiprocessing.get_context("forkserver")
    environment = "envs.atari" if config.is_atari else "envs.gym"
    modules = ("sampling.server_setup", "sampling.worker", environment)
    context.set_forkserver_preload([f"paac_cli.{name}" for name in modules])
    return context


def start(process: ForkServerProcess) -> None:
    """Start `process`, and try again if the fork server has died, which the library may notice only now.

    Raises WorkerError if the server keeps dying, and ConfigError if there is no directory for its socket or the current
    directory does not exist.
    """
    _prepare_socket_directory()
    with stop_signals_blocked(), safe_path():
        for _ in range(_START_ATTEMPTS - 1):
            with contextlib.suppress(EOFError, ConnectionError):
                return _start(process)
            time.sleep(0.1)
        try:
            return _start(process)
        except (EOFError, ConnectionError):
            raise WorkerError(
                f"the fork server, which starts the workers, died {_START_ATTEMPTS} times in a row; one of its imports "
                "may crash. To find out, run `python -c 'import numpy, cv2, ale_py, gymnasium, numba'`"
            ) from None


def _start(process: ForkServerProcess) -> None:
    try:
        process.start()
    except FileNotFoundError as error:
        if not _current_directory_exists():
            raise ConfigError("the current directory has been deleted; change to another one (cd)") from error
        if not _restart_server():
            raise
        process.start()


def _restart_server() -> bool:
    """Restart the server, if it runs: its socket has been deleted, as when /tmp is cleaned. Workers live without it."""
    Path(util.get_temp_dir()).mkdir(mode=0o700, exist_ok=True)
    pid: int | None = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    if pid is None:
        return False
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # without reaping it: `multiprocessing` does, and starts another
    return True


@contextlib.contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Block `STOP_SIGNALS` in this process, and in the processes that it starts meanwhile, which inherit that.

    Ctrl-C and a SIGTERM to the whole process group are for the learner, which decides. A process that is just starting
    would die of them with a traceback. In the learner they are only delayed.
    """
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    with safe_path():
        resource_tracker.ensure_running()  # it must inherit the mask too, and its start unblocks some signals
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


@functools.cache
def _prepare_socket_directory() -> None:
    """Let `multiprocessing` keep its sockets in a directory with a short path: that of a socket has at most 107 bytes.

    That is TMPDIR, or another one if the path of TMPDIR is too long or there can be no sockets. Raises ConfigError.
    """
    usual = _usual_directory()
    previous, reasons = tempfile.tempdir, []
    for directory in dict.fromkeys(filter(None, (usual, os.environ.get("XDG_RUNTIME_DIR"), *_SHORT_DIRECTORIES))):
        problem = _problem_with(directory)
        if problem is None:
            tempfile.tempdir = directory
            try:
                util.get_temp_dir()  # makes it, remembers it and deletes it at exit
            finally:
                tempfile.tempdir = previous
            return
        reasons.append(f"{directory}: {problem}")
    raise ConfigError(
        "worker processes need a directory for their sockets, and no directory can be used:\n  "
        + "\n  ".join(reasons)
        + "\nSet TMPDIR to a directory that can be written, with a path of at most "
        f"{_MAX_SOCKET_PATH - len(_SOCKET) - 1} bytes"
    )


def _usual_directory() -> str | None:
    """Where Python keeps temporary files; None if it finds no such directory."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return None


def _problem_with(directory: str) -> str | None:
    """Why there can be no socket in `directory`; None if there can be one."""
    length = len(os.fsencode(os.path.join(directory, _SOCKET)))  # noqa: PTH118 (bytes of the path as it is)
    if length > _MAX_SOCKET_PATH:
        return f"its path is {length - _MAX_SOCKET_PATH} bytes too long"
    try:
        with tempfile.TemporaryDirectory(prefix="pymp-", dir=directory) as path, socket.socket(socket.AF_UNIX) as one:
            one.bind(str(Path(path) / "socket"))
    except OSError as error:
        return error.strerror or str(error)
    return None


def _current_directory_exists() -> bool:
    try:
        return bool(Path.cwd())
    except OSError:
        return False
