"""Durable writes and safe reads of files.

Machines crash: after a write, the file and the directory that holds its name are synced. Directories may come from
somebody else: only regular files are read, and writes follow no symbolic link. Each step is one call of `os`, so that
tests can inject a failure between any two of them.
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
    """Open the file at `path` for reading. Raises OSError, also for pipes and devices, where a read may block."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")


def open_for_writing(path: str, flags: int) -> int:
    """An `opener` for `open`. Follows no symbolic link, and does not wait for the reader of a pipe. Raises OSError."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def write_synced(path: Path, pieces: Iterable[bytes | memoryview]) -> str:
    """Write `pieces` to `path` and sync the file; returns its SHA-256. Follows no symbolic link. Raises OSError."""
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
    """Write all of `piece`; one `os.write` may write only a part. Raises OSError."""
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def append_at(path: Path, size: int, content: bytes) -> None:
    """Write `content` at offset `size` of the file at `path`; anything after `size` is discarded.

    A failed earlier write may have left an incomplete line there. Follows no symbolic link. Raises OSError, also if
    the file is shorter than `size`.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    try:
        if os.fstat(descriptor).st_size < size:
            raise OSError(errno.EIO, "is shorter than the data written to it", str(path))
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def replace_synced(path: Path, content: bytes) -> None:
    """Replace the file at `path` by `content`, atomically and durably. Raises OSError."""
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
    """Flush the file at `path` to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make the directory at `path` and its missing parents, durably. Raises OSError."""
    if not path.parent.is_dir():
        make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Flush the directory at `path` to the disk: the names of new, renamed and deleted files. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems do not support it and do not need it
            raise
    finally:
        os.close(descriptor)
