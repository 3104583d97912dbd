"""Records the file operations of this process, and makes one of them fail or kills the process there."""

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

#: The functions of `os` that are recorded: those that change files, and those that only read their state.
_CHANGING = ("open", "write", "fsync", "close", "ftruncate", "mkdir", "rename", "replace", "unlink", "rmdir")
_READING = ("stat", "lstat", "scandir", "listdir", "fstat")


class Operation(NamedTuple):
    """One call of a function of `os`."""

    name: str
    path: Path  #: absolute; for a descriptor, the path that it was opened with
    target: Path | None = None  #: of a rename
    data: bytes = b""  #: of a write
    size: int = 0  #: of a truncation
    creates: bool = False  #: of an open: whether it has O_CREAT
    truncates: bool = False  #: of an open: whether it has O_TRUNC
    failed: bool = False  #: whether it failed without an injected fault, e.g. a mkdir of an existing directory


class Fault(NamedTuple):
    """A fault that is injected at one operation."""

    at: int  #: index of the operation
    error: int | None = None  #: the errno with which the operation fails; None: the process is killed before it
    half_written: bool = False  #: whether a write first writes half of its data
    lasting: bool = False  #: whether all later operations fail too


@contextlib.contextmanager
def record_operations(root: Path, fault: Fault | None = None) -> Iterator[list[Operation]]:
    """Record all operations on `root` and paths below it within the block, and inject `fault`.

    Yields the list to which operations are appended as they happen.
    """
    operations: list[Operation] = []
    originals = {name: getattr(os, name) for name in (*_CHANGING, *_READING)}

    def wrap(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            operation = _operation(name, args, kwargs)
            if not operation.path.is_relative_to(root):
                return originals[name](*args, **kwargs)
            operations.append(operation)
            if fault is not None and _applies(fault, len(operations) - 1, operation):
                if fault.half_written and name == "write":
                    originals["write"](args[0], operation.data[: len(operation.data) // 2])
                if fault.error is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                if name == "close":
                    originals["close"](*args)  # a close that reports an error has still closed the descriptor
                raise OSError(fault.error, os.strerror(fault.error or 0), str(operation.path))
            try:
                return originals[name](*args, **kwargs)
            except OSError:
                operations[-1] = operation._replace(failed=True)
                raise

        return call

    for name in (*_CHANGING, *_READING):
        setattr(os, name, wrap(name))
    try:
        yield operations
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def _applies(fault: Fault, index: int, operation: Operation) -> bool:
    if index < fault.at or (index > fault.at and not fault.lasting):
        return False
    return fault.error != errno.ENOSPC or needs_space(operation)


def needs_space(operation: Operation) -> bool:
    """Whether the operation may fail on a full disk, where reading and deleting still work."""
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


def _path(argument: Any, directory: int | None) -> Path:
    """The absolute path of an argument: a descriptor, a directory entry, or a path relative to `directory`."""
    if isinstance(argument, int):
        with contextlib.suppress(OSError):
            return Path("/proc/self/fd", str(argument)).readlink()
        return Path("/nowhere")
    if isinstance(argument, os.DirEntry):
        argument = argument.path
    parent = Path("/proc/self/fd", str(directory)).readlink() if directory is not None else Path.cwd()
    return Path(parent, os.fsdecode(argument))
