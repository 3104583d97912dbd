"""Loads the newest valid checkpoints, also while another process saves and deletes checkpoints there."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from paac_cli.errors import CheckpointError, UnreadableCheckpointError
from paac_cli.events import Warn

Content = TypeVar("Content")
ListPaths = Callable[[], list[Path]]  #: lists checkpoints, the first to load first; may raise CheckpointError

_ATTEMPTS = 100  # another attempt follows only if another process has saved during the last one
_STABLE_LISTINGS = 3  # so many in a row must be the same before a checkpoint counts as missing
_PAUSE = 0.01  # seconds between them

#: Path -> what differs if another directory takes this name; None if there is none.
_Listing = dict[Path, tuple[int, int] | None]


def load_newest(
    list_paths: ListPaths, load: Callable[[Path], Content], warn: Warn, count: int | None = 1
) -> list[tuple[Path, Content]]:
    """The first `count` (None: all) of `list_paths()` that `load` can read, with their paths; perhaps fewer.

    Warns of each damaged one and skips it. A checkpoint that disappears meanwhile is not damaged: another process has
    saved a newer one, so the paths are listed again. Raises CheckpointError if they cannot be listed, and TrustError as
    `load` does; and if only some are wanted, UnreadableCheckpointError instead of using an older one.
    """
    for attempts_left in reversed(range(_ATTEMPTS)):
        listing = _identify(list_paths())
        found, damages, has_changed = _load_first(listing, load, count)
        if (count is None or len(found) < count) and not has_changed:
            has_changed = not _is_stable(listing, list_paths)
        if not has_changed or not attempts_left:
            break
    for error in damages:
        warn(f"skipped a checkpoint: {error}")
    return found


def _load_first(
    listing: _Listing, load: Callable[[Path], Content], count: int | None
) -> tuple[list[tuple[Path, Content]], list[CheckpointError], bool]:
    """What can be loaded, what is wrong with the rest, and whether one was deleted or replaced meanwhile."""
    found: list[tuple[Path, Content]] = []
    damages: list[CheckpointError] = []
    for path, identity in listing.items():
        if len(found) == count:
            break
        try:
            found.append((path, load(path)))
        except CheckpointError as error:
            if identity is None or _identify([path]) != {path: identity}:
                return found, damages, True
            if isinstance(error, UnreadableCheckpointError) and count is not None:
                raise
            damages.append(error)
    return found, damages, False


def _is_stable(listing: _Listing, list_paths: ListPaths) -> bool:
    """Whether the paths stay the same for a moment: a listing may miss one that is just being replaced."""
    for _ in range(_STABLE_LISTINGS - 1):
        time.sleep(_PAUSE)
        if _identify(list_paths()) != listing:
            return False
    return True


def _identify(paths: list[Path]) -> _Listing:
    return {path: _identity(path) for path in paths}


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
