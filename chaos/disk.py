"""A layer between the program and its disk: it notes every operation, and one of them it lets go wrong."""

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

#: All that the program asks of a file system through `os`: what changes it, and what looks at it.
_CHANGING = ("open", "write", "fsync", "close", "ftruncate", "mkdir", "rename", "replace", "unlink", "rmdir")
_LOOKING = ("stat", "lstat", "scandir", "listdir", "fstat")


class Operation(NamedTuple):
    """One call."""

    name: str
    path: Path  #: absolute; of a descriptor, what it was opened for
    target: Path | None = None  #: of a rename
    data: bytes = b""  #: of a write
    size: int = 0  #: of a truncation
    creates: bool = False  #: of an open
    truncates: bool = False
    failed: bool = False  #: by itself, as a mkdir of what is there


class Fault(NamedTuple):
    """What happens at one operation."""

    at: int  #: its index
    error: int | None = None  #: it fails with this errno; None: the process is killed before it
    torn: bool = False  #: a write has been half done by then
    lasting: bool = False  #: the operations after it fail as well


@contextlib.contextmanager
def noting(root: Path, fault: Fault | None = None) -> Iterator[list[Operation]]:
    """Within, all operations on what lies at or below `root` are noted, and `fault` happens."""
    noted: list[Operation] = []
    originals = {name: getattr(os, name) for name in (*_CHANGING, *_LOOKING)}

    def wrap(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            operation = _operation(name, args, kwargs)
            if not operation.path.is_relative_to(root):
                return originals[name](*args, **kwargs)
            noted.append(operation)
            if fault is not None and _hits(fault, len(noted) - 1, operation):
                if fault.torn and name == "write":
                    originals["write"](args[0], operation.data[: len(operation.data) // 2])
                if fault.error is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                if name == "close":
                    originals["close"](*args)  # it is closed, whatever it says
                raise OSError(fault.error, os.strerror(fault.error or 0), str(operation.path))
            try:
                return originals[name](*args, **kwargs)
            except OSError:
                noted[-1] = operation._replace(failed=True)
                raise

        return call

    for name in (*_CHANGING, *_LOOKING):
        setattr(os, name, wrap(name))
    try:
        yield noted
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def _hits(fault: Fault, index: int, operation: Operation) -> bool:
    if index < fault.at or (index > fault.at and not fault.lasting):
        return False
    return fault.error != errno.ENOSPC or takes_room(operation)


def takes_room(operation: Operation) -> bool:
    """Whether a full disk may refuse it: such a disk still reads and deletes."""
    return operation.creates or operation.name in ("write", "fsync", "mkdir", "rename")


def _operation(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation:
    path = _path(args[0] if args else ".", kwargs.get("dir_fd") or kwargs.get("src_dir_fd"))
    if name in ("rename", "replace"):
        return Operation("rename", path, _path(args[1], kwargs.get("dst_dir_fd")))
    if name == "write":
        return Operation(name, path, data=bytes(args[1]))
    if name == "ftruncate":
        return Operation(name, path, size=args[1])
    flags = args[1] if name == "open" else 0
    return Operation(name, path, creates=bool(flags & os.O_CREAT), truncates=bool(flags & os.O_TRUNC))


def _path(place: Any, directory: int | None) -> Path:
    if isinstance(place, int):
        with contextlib.suppress(OSError):
            return Path("/proc/self/fd", str(place)).readlink()
        return Path("/nowhere")
    if isinstance(place, os.DirEntry):
        place = place.path
    within = Path("/proc/self/fd", str(directory)).readlink() if directory is not None else Path.cwd()
    return Path(within, os.fsdecode(place))
