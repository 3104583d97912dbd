"""Durable writes and safe reads of files.

Machines crash: after a write, the file and the directory that holds its name are synced. Directories may come from
somebody else: a file gets its content under a name that nobody can predict and is then renamed, writes follow no
symbolic link, and only regular files are read. Each step is one call of `os`, so that tests can inject a failure
between any two of them.
"""

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PARTIAL, _PARTIAL_SUFFIX = ".paac-", ".partial"  # around the random part of the name of an unfinished file
_ABANDONED_AFTER = 60.0  # seconds without a change after which an unfinished file counts as left by a killed process


def open_regular(path: Path) -> io.BufferedIOBase:
    """Open the file at `path` for reading.

    Raises OSError, also for directories, pipes and devices, where a read may block. An empty file is not read at all:
    files in /proc, which may block or never end, have no size.
    """
    _require_regular(path.stat(), path)  # before it is opened: to open a device may have effects
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        _require_regular(status, path)  # it may have been replaced meanwhile
        if status.st_size:
            return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return io.BytesIO()


def read_regular(path: Path, limit: int) -> bytes:
    """The content of the file at `path`, of at most `limit` bytes. Raises OSError, also if it is larger."""
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"is larger than {limit:,} bytes", str(path))
    return content


def _require_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))


def write_synced(path: Path, pieces: Iterable[bytes | memoryview]) -> str:
    """Write `pieces` to the new file `path` and sync it; returns its SHA-256. Raises OSError, also if it exists."""
    digest = hashlib.sha256()
    descriptor = os.open(path, _CREATE, 0o666)
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


@contextlib.contextmanager
def replacement(path: Path) -> Iterator[BinaryIO]:
    """A new file, to be written in the block, that replaces the one at `path` at its end, atomically and durably.

    It is written beside `path`, under an unpredictable name. If the block raises, it is deleted and `path` is as it
    was. A symbolic link at `path` is replaced, not followed. Raises OSError.
    """
    _delete_abandoned(path.parent)
    partial = path.with_name(f"{_PARTIAL}{secrets.token_hex(8)}{_PARTIAL_SUFFIX}")
    with _errors_naming(path):
        descriptor = os.open(partial, _CREATE, 0o666)
    try:
        with contextlib.suppress(OSError):  # not every file system has locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until it is closed: it is not abandoned
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            with _errors_naming(path):
                os.replace(partial, path)  # noqa: PTH105 (chaos injects failures into functions of os)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    sync_directory(path.parent)


@contextlib.contextmanager
def _errors_naming(path: Path) -> Iterator[None]:
    """Let an OSError in the block name `path`, and not the unfinished file beside it."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def replace_synced(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Replace the file at `path` by one with the content `pieces`, as `replacement` does. Raises OSError."""
    with replacement(path) as file:
        for piece in pieces:
            write_all(file.fileno(), piece)


def create_synced(path: Path, content: bytes) -> None:
    """Write `content` to the new file `path`. Raises OSError, also if there is anything at `path`."""
    try:
        write_synced(path, [content])
    except FileExistsError:
        raise
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    sync_directory(path.parent)


def _delete_abandoned(directory: Path) -> None:
    """Delete the unfinished files in `directory` that killed processes have left."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(_PARTIAL) and entry.name.endswith(_PARTIAL_SUFFIX) and _is_abandoned(entry):
                os.unlink(entry.path)  # noqa: PTH108


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    """Whether no process writes this unfinished file any more."""
    if not entry.is_file(follow_symlinks=False):
        return False
    descriptor = os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return time.time() - os.fstat(descriptor).st_mtime > _ABANDONED_AFTER
    except OSError:
        return False
    finally:
        os.close(descriptor)


def append(path: Path, content: bytes) -> None:
    """Add `content` to the end of the file at `path`. Raises as `appending` does."""
    with appending(path) as descriptor:
        write_all(descriptor, content)


@contextlib.contextmanager
def appending(path: Path) -> Iterator[int]:
    """A descriptor that adds to the end of the file at `path`, which is made if it is missing.

    Follows no symbolic link, and does not wait for the reader of a pipe. Raises OSError.
    """
    descriptor = _open_to_extend(path, os.O_APPEND)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def append_at(path: Path, size: int, content: bytes) -> None:
    """Write `content` at offset `size` of the file at `path`; anything after `size` is discarded.

    A failed earlier write may have left an incomplete line there. Follows no symbolic link. Raises OSError, also if
    the file is shorter than `size`.
    """
    descriptor = _open_to_extend(path)
    try:
        if os.fstat(descriptor).st_size < size:
            raise OSError(errno.EIO, "is shorter than the data written to it", str(path))
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _open_to_extend(path: Path, flags: int = 0) -> int:
    """A descriptor of the regular file at `path`, which is made if it is missing. Raises OSError."""
    descriptor = os.open(path, flags | os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    try:
        _require_regular(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def sync_file(path: Path) -> None:
    """Flush the file at `path` to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make the directory at `path` and its missing parents; what this call makes is durable. Raises OSError."""
    if path.is_dir():
        return
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
