"""The video in a report: one of the best policy, embedded in the page."""

import base64
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from paac_cli.errors import VideoError
from paac_cli.files import read_regular
from paac_cli.reporting.report.markup import Html
from paac_cli.runs.saved_run import SavedRun
from paac_cli.text import either, reason

#: Suffix -> media type, and the bytes with which such a file begins, at an offset.
_TYPES = {
    ".mp4": ("video/mp4", 4, b"ftyp"),
    ".webm": ("video/webm", 0, b"\x1a\x45\xdf\xa3"),
    ".gif": ("image/gif", 0, b"GIF8"),
}
MAX_FOUND, MAX_GIVEN = 8_000_000, 100_000_000  #: bytes of a video that is found, and of one that the user gives


class EmbeddedVideo(NamedTuple):
    """A video."""

    name: str  #: of its file
    url: Html  #: `data:`, with its content
    is_image: bool  #: an animated GIF


class NoVideo(NamedTuple):
    """Why a report has no video."""

    reason: str
    command: str = ""  #: that makes one; empty if there is one already, or nothing that could play

    def __str__(self) -> str:
        return f"{self.reason} To make one: {self.command}" if self.command else self.reason


def read_video(path: Path, max_bytes: int = MAX_GIVEN) -> EmbeddedVideo:
    """The video at `path`. Raises VideoError if it is not a video, or larger than `max_bytes`."""
    suffix = path.suffix.lower()
    if suffix not in _TYPES:
        raise VideoError(f"{path}: unknown video format; use a file that ends in {either([*_TYPES])}")
    media_type, offset, magic = _TYPES[suffix]
    try:
        content = read_regular(path, max_bytes)
    except OSError as error:
        raise VideoError(f"{path} cannot be read: {reason(error, path)}") from error
    if content[offset : offset + len(magic)] != magic:
        raise VideoError(f"{path} is not a {suffix} video")
    url = Html(f"data:{media_type};base64,{base64.b64encode(content).decode()}")
    return EmbeddedVideo(path.name, url, media_type.startswith("image/"))


def newest_video(run: SavedRun) -> Path | None:
    """The newest video of the best policy in videos/ of `run`; without one, the newest video; None without any.

    A link is left out: a run directory may come from somebody else, and a link may lead to files of the user.
    """
    videos = dict(_videos(run.path / "videos"))
    of_best = f"best_{run.best.counters.steps:09d}-" if run.best else None
    best = [path for path in videos if of_best and path.name.startswith(of_best)]
    return max(best or videos, key=lambda path: videos[path], default=None)


def video_command(run: SavedRun) -> str:
    """The command that makes a video of `run`; empty if nothing was saved that could play."""
    return f"paac record --checkpoint {run.playing_arguments} --overlay" if run.last_saved is not None else ""


def _videos(directory: Path) -> Iterator[tuple[Path, float]]:
    """Each video in `directory`, and when it was last changed."""
    if directory.is_symlink() or not directory.is_dir():
        return
    for path in directory.iterdir():
        status = path.lstat()
        if path.suffix.lower() in _TYPES and stat.S_ISREG(status.st_mode):
            yield path, status.st_mtime
