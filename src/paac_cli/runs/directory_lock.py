"""The lock on a run directory, which one process at a time holds while it trains there."""

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

_FILE = ".lock"
#: How a file system answers that it cannot lock directories. NFS locks only files that are open for writing.
_CANNOT_LOCK = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_PAUSE = 0.05  # seconds; see `DirectoryLock`


class DirectoryLock:
    """A lock on the directory itself: files in it may be deleted. The system releases it when the process ends.

    Where the file system cannot lock a directory, a file in it is locked.
    """

    def __init__(self, path: Path) -> None:
        """Lock the directory at `path`. Raises OSError; BlockingIOError if another process holds the lock.

        There is a second attempt, because `is_locked` in another process holds the lock for an instant.
        """
        self._descriptors = [os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        try:
            try:
                _lock(self._descriptors[0])
            except OSError as error:
                if error.errno not in _CANNOT_LOCK:
                    raise
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                self._descriptors.append(os.open(_FILE, flags, 0o644, dir_fd=self._descriptors[0]))
                _lock(self._descriptors[1])
        except OSError:
            self.release()
            raise

    def is_at(self, path: Path) -> bool:
        """Whether `path` leads to the locked directory, which may have been moved or deleted."""
        try:
            return os.path.samestat(path.stat(), os.fstat(self._descriptors[0]))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def release(self) -> None:
        """Release the lock. May be called twice."""
        while self._descriptors:
            with contextlib.suppress(OSError):  # the disk may have been removed
                os.close(self._descriptors.pop())


def is_locked(path: Path) -> bool:
    """Whether a process trains in the directory at `path`; False if that cannot be known."""
    for name, flags in ((path, os.O_DIRECTORY), (path / _FILE, os.O_NOFOLLOW | os.O_NONBLOCK)):
        with contextlib.suppress(OSError):
            if _is_file_locked(name, flags):
                return True
    return False


def _is_file_locked(path: Path, flags: int) -> bool:
    """Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_PAUSE)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
