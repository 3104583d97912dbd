"""The learner's end of a process from the fork server: start it, notice its death, end it with all that it started."""

import contextlib
import os
import secrets
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any

from paac_cli.config.env import EnvConfig
from paac_cli.sampling.child import SHOW_STACKS, run_child, signal_name
from paac_cli.sampling.descendants import kill_group, kill_marked
from paac_cli.sampling.fork_server import fork_server, start
from paac_cli.sampling.traces import shorten_stacks

_DEATH_TIMEOUT = 5.0  # seconds from the end of a process's pipe to the end of the process
_STACKS_TIMEOUT = 0.5  # seconds that a hung process has to write the stacks of its threads
_PIPE_BYTES = 65_536  # capacity of a pipe
_HANG_ADVICE = (
    "if its environment needs more time, raise sampling.worker_timeout: --set sampling.worker_timeout=600 for paac "
    "train and bench, --worker-timeout 600 for paac eval, record and verify"
)


class ChildFailedError(Exception):
    """A process died or hangs."""

    def __init__(self, cause: str, stacks: str, *, exit_code: int | None = None, advice: str = "") -> None:
        """cause: e.g. "killed by SIGSEGV". stacks: those of its threads, as far as it could still write them.

        exit_code: of the process, as in `subprocess`; None if it has not ended. advice: as in `WorkerFailure`.
        """
        super().__init__(cause)
        self.cause, self.stacks, self.exit_code, self.advice = cause, stacks, exit_code, advice

    def __str__(self) -> str:
        advice = f"; {self.advice}" if self.advice else ""
        return "\n".join(filter(None, (f"{self.cause}{advice}", self.stacks)))


class ChildProcess:
    """One process that runs `main(connection, *arguments)`, as `child.py` says."""

    def __init__(
        self,
        main: Callable[..., None],
        *arguments: Any,
        name: str,
        env_config: EnvConfig,
        send_timeout: float | None = None,
    ) -> None:
        """Start it and return while it loads. Raises WorkerError and ConfigError, as `fork_server.start`.

        main, arguments: must be picklable. env_config: decides what the fork server imports.
        send_timeout: seconds after which sending gives up if the process does not read.
        """
        context = fork_server(env_config)
        self.name, self._mark = name, f"{os.getpid()}-{secrets.token_hex(8)}"
        self.connection, theirs = context.Pipe()
        self._stacks_pipe, their_stacks_pipe = context.Pipe(duplex=False)
        os.set_blocking(their_stacks_pipe.fileno(), False)  # a crashing process must not wait for a full pipe
        if send_timeout is not None:
            _limit_send_time(self.connection, send_timeout)
        self._process = context.Process(
            target=run_child, args=(main, theirs, their_stacks_pipe, self._mark, *arguments), name=name, daemon=True
        )
        try:
            start(self._process)
        except BaseException:
            self.connection.close()
            self._stacks_pipe.close()
            raise
        finally:
            theirs.close()
            their_stacks_pipe.close()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        self.death = _open_process(self._process)  #: a descriptor that becomes readable when the process dies

    def join(self, seconds: float) -> None:
        """Wait for its death, at most `seconds`."""
        wait([self.death], seconds)

    def death_error(self) -> ChildFailedError:
        """The error that says how it died."""
        self._process.join(_DEATH_TIMEOUT)
        code = self._process.exitcode
        if code is None:
            cause = "closed its pipe without ending"
        else:
            cause = f"killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        return ChildFailedError(cause, self._read_stacks(), exit_code=code)

    def hang_error(self, seconds: float) -> ChildFailedError:
        """The error that says that it has not answered for `seconds`; without stacks if the process is stopped."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.death, SHOW_STACKS)
        return ChildFailedError(f"hung for {seconds:g} s", self._read_stacks(_STACKS_TIMEOUT), advice=_HANG_ADVICE)

    def _read_stacks(self, timeout: float = 0.0) -> str:
        """What it has written to its pipe for stacks; waits up to `timeout` seconds for more."""
        text = b""
        while self._stacks_pipe.poll(timeout) and (more := os.read(self._stacks_pipe.fileno(), _PIPE_BYTES)):
            text += more
        return shorten_stacks(text.decode(errors="replace"))

    def kill(self) -> None:
        """Kill it and what it has started, whatever their state, and wait until they are dead. May be called twice."""
        kill_all([self])


def kill_all(children: Sequence[ChildProcess]) -> None:
    """`ChildProcess.kill` for all of `children` at once."""
    alive = [child for child in children if not child.connection.closed]
    for child in alive:
        kill_group(child.pid)
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(child.death, signal.SIGKILL)
    for child in alive:
        wait([child.death], _DEATH_TIMEOUT)
        child._process.join(_DEATH_TIMEOUT)
    if alive:
        kill_marked([child._mark for child in alive])
    for child in alive:
        os.close(child.death)
        child.connection.close()
        child._stacks_pipe.close()


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
