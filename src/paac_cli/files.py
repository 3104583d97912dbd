"""Files as they must be on disks that fill, break and lose power, and in directories that others have made.

What is written is synced, and so is the entry that names it; what is read is a regular file. Every step is
one call of `os`, so that a test can stand between any two of them.
"""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path


def open_regular(path: Path) -> BufferedReader:
    """The file at `path`, for reading. Raises OSError, also for a pipe or a device: they may never answer."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")


def open_own(path: str, flags: int) -> int:
    """An opener for `open`, of a file that we write: follows no link, and waits for no reader of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def write_synced(path: Path, pieces: Iterable[bytes | memoryview]) -> str:
    """Write `pieces` to `path` and sync; returns the SHA-256 of the file. Follows no link. Raises OSError."""
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        for piece in pieces:
            digest.update(piece)
            write_all(descriptor, piece)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def write_all(descriptor: int, piece: bytes | memoryview) -> None:
    """Write the whole of `piece`: the system may take less at a time. Raises OSError."""
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def append_at(path: Path, size: int, content: bytes) -> None:
    """Write `content` after the first `size` bytes of the file at `path`, which may be torn behind them.

    Follows no link. Raises OSError, also where it has become shorter.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    try:
        if os.fstat(descriptor).st_size < size:
            raise OSError(errno.EIO, "has become shorter than what was written to it", str(path))
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def replace_synced(path: Path, content: bytes) -> None:
    """Put `content` in the place of what is at `path`: one or the other is there at any time. Raises OSError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        write_synced(partial, [content])
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    sync_directory(path.parent)


def sync_file(path: Path) -> None:
    """Make what has been written to the file at `path` last. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make the directory at `path`, and what is missing above it. Raises OSError."""
    if not path.parent.is_dir():
        make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names in the directory at `path` last: new ones, and those that are gone. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot, and need not
            raise
    finally:
        os.close(descriptor)
