"""Closes environments, of which some raise or hang."""

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

from paac_cli.envs.env import Env
from paac_cli.text import describe_error

CloseProblems = dict[int, str]  #: index of an environment -> what went wrong, e.g. "raised ValueError: no lock"

_REST = 1.0  # seconds for each other environment of a worker after one has hung
_REPEAT = 0.5  # seconds between interrupts, if an environment catches them


def close_all(envs: Mapping[int, Env], timeout: float, on_next: Callable[[int], None]) -> CloseProblems:
    """Close `envs`, each within `timeout` seconds. After one has hung, the others have one second each.

    on_next: called with the index of each environment before it is closed.
    """
    problems, limit = {}, f"{timeout:g} s (sampling.close_timeout)"
    for n, env in envs.items():
        on_next(n)
        try:
            with _time_limit(timeout):
                env.close()
        except _TimeLimitError:
            problems[n] = f"took longer than {limit}, and was interrupted"
            if timeout > _REST:
                timeout, limit = _REST, f"{_REST:g} s (the limit after another one has hung)"
        except BaseException as error:  # third-party code may raise anything
            problems[n] = f"raised {describe_error(error)}"
    return problems


class _TimeLimitError(BaseException):
    """Interrupts what takes too long."""


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raises _TimeLimitError in the block after `seconds`, unless it hangs in C code."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _TimeLimitError

    signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT)
        yield
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
