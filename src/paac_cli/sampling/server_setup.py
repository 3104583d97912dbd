"""Prepares the fork server: it ends with the learner, and every process below it ends too.

Only the fork server imports this module, and as its first one: the import is the only code of ours that it executes.
Any later, and the server would notice the learner's death only after all its other imports, which take seconds.
"""

import atexit
import contextlib
import ctypes
import os
import shutil
import signal
import warnings
from multiprocessing import forkserver
from pathlib import Path
from types import FrameType

from paac_cli.sampling.safe_path import forget_safe_path

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that this process gets when the thread that started it ends
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2): this process adopts the processes below it whose parent has died
_LEARNER_ENDED = signal.SIGRTMIN
_server, _learner = os.getpid(), os.getppid()


def _set_up() -> None:
    os.setpgid(0, 0)  # a kill of the learner's process group leaves this process time to end the others
    signal.signal(_LEARNER_ENDED, _end)
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_PDEATHSIG, _LEARNER_ENDED)
    prctl(_PR_SET_CHILD_SUBREAPER, 1)  # so that programs of environments, even daemons, are found and ended
    atexit.register(_clean_up)
    warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")  # of an adopted process
    forget_safe_path()  # programs that environments start must not inherit it


def _end(number: int, frame: FrameType | None) -> None:
    if os.getpid() == _server and os.getppid() != _learner:  # not only the thread that started this process has ended
        _clean_up()
        os._exit(0)


def _clean_up() -> None:
    if os.getpid() == _server:  # and not a process that it has forked
        _kill_descendants()
        _delete_socket()


def _kill_descendants() -> None:
    with contextlib.suppress(ChildProcessError):  # there is no child left
        while True:
            for child in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)  # its children become children of this process


def _children() -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # the process has just ended
            if int(path.read_text().rpartition(")")[2].split()[1]) == _server:
                found.append(int(path.parent.name))
    return found


def _delete_socket() -> None:
    """Delete the directory of the server's socket, which a learner that was killed has left."""
    address = forkserver._forkserver._forkserver_address  # type: ignore[attr-defined]
    if address:
        directory = Path(address).parent
        if directory.name.startswith("pymp-"):
            shutil.rmtree(directory, ignore_errors=True)


_set_up()
