"""Runs functions that use environments in processes of their own, so that no environment lives in the learner."""

import contextlib
import math
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from paac_cli.config.env import EnvConfig
from paac_cli.errors import PaacError, WorkerError
from paac_cli.sampling.child_process import ChildFailedError, ChildProcess
from paac_cli.sampling.traces import format_error

_CHECK_EVERY = 1.0  # seconds


class _End:
    """Sent after the last value."""


_END = _End()


class IsolatedRun:
    """A generator function that runs in a process of its own."""

    def __init__(self, child: ChildProcess) -> None:
        self._child = child

    def values(self, timeout: float) -> Iterator[Any]:
        """What it yields next, until its end. Raises as `receive` does."""
        while not isinstance(value := receive(self._child, timeout), _End):
            yield value

    def finish(self, timeout: float) -> None:
        """Let it run to its end, if that takes no longer than `timeout` seconds. What it raises is ignored."""
        with contextlib.suppress(PaacError, ChildFailedError):
            for _ in self.values(timeout):
                pass


@contextlib.contextmanager
def isolated(function: Callable[..., Iterator[Any]], *arguments: Any, env_config: EnvConfig) -> Iterator[IsolatedRun]:
    """Run the generator function `function(*arguments)` in a process of its own, which ends with the block.

    Function and arguments must be picklable, as all that it yields. env_config: of the environments that it makes.
    """
    child = ChildProcess(_run, function, arguments, name=function.__name__.strip("_"), env_config=env_config)
    try:
        yield IsolatedRun(child)
    finally:
        child.kill()


def receive(child: ChildProcess, timeout: float) -> Any:
    """The next result that `send_result` sends in `child`, within `timeout` seconds.

    Raises what it raised there: a PaacError as it is, and any other as a WorkerError with the traceback. Raises
    ChildFailedError if the process dies or does not answer.
    """
    for _ in range(math.ceil(timeout / _CHECK_EVERY)):  # counts checks: a clock would include a Ctrl-Z of this process
        if ready := wait([child.connection, child.death], _CHECK_EVERY):
            break
    else:
        raise child.hang_error(timeout)
    if child.connection not in ready and not child.connection.poll():
        raise child.death_error()
    try:
        error, value = child.connection.recv()
    except (EOFError, OSError):
        raise child.death_error() from None
    if error is not None:
        raise error
    return value


def send_result(connection: Connection, compute: Callable[[], Any]) -> bool:
    """Send the result of `compute()`, or what it raised, to `receive`; returns whether there was a result."""
    try:
        result: tuple[PaacError | None, Any] = (None, compute())
    except PaacError as error:
        error.add_note(traceback.format_exc())  # for `paac --traceback`
        result = (error, None)
    except BaseException as error:
        result = (WorkerError(format_error(error)), None)
    connection.send(result)
    return result[0] is None


def _run(connection: Connection, function: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
    """Main function of the process."""
    values, is_over = function(*arguments), False

    def advance() -> Any:
        nonlocal is_over
        value = next(values, _END)
        is_over = value is _END
        return value

    with contextlib.suppress(OSError):  # the other process has ended
        while send_result(connection, advance) and not is_over:
            pass
