"""Video files, written frame by frame, so that memory does not grow with their length."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from paac_cli.errors import VideoError


class _Format(NamedTuple):
    codec: str
    pixels: str
    options: dict[str, str]
    scale: int  #: each pixel of a small frame becomes a square of this many pixels a side
    max_fps: float  #: of the file; a faster source has frames dropped evenly, so that it plays in real time


_FORMATS = {
    ".mp4": _Format("libx264", "yuv420p", {"crf": "18", "preset": "veryfast"}, 4, 60.0),
    ".webm": _Format(
        "libvpx-vp9", "yuv420p", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "8"}, 4, 60.0
    ),
    ".gif": _Format("gif", "pal8", {}, 2, 30.0),  # browsers slow GIFs down that exceed 50 frames per second
}
_SMALL = 300  # pixels a side; larger frames are not enlarged


def check_suffix(path: Path) -> None:
    """Raises VideoError if no video can be written to `path`, because of its name."""
    if path.is_dir():
        raise VideoError(f"{path} cannot be written: it is a directory")
    if path.suffix.lower() not in _FORMATS:
        found = f"suffix {path.suffix!r}" if path.suffix else "a name without a suffix"
        raise VideoError(f"{path}: no video format for {found}; use a name that ends in {', '.join(_FORMATS)}")
    codec = _FORMATS[path.suffix.lower()].codec
    if codec not in av.codecs_available:
        raise VideoError(f"{path}: this build of PyAV has no {codec} encoder; use another of {', '.join(_FORMATS)}")


class VideoWriter:
    """Writes RGB frames to `path`. A context manager: the file gets its name only once it is complete."""

    def __init__(self, path: Path, fps: float) -> None:
        """fps: frames per second of the source, which calls `write`. Raises VideoError."""
        check_suffix(path)
        self._path = path
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._format = _FORMATS[path.suffix.lower()]
        self._source_fps = fps
        self._fps = min(fps, self._format.max_fps)
        self._frames = self._written = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._partial), "w")
        except OSError as error:
            raise VideoError(f"{path} cannot be written: {error}") from error
        self._stream: av.VideoStream | None = None
        self._palette: av.filter.Graph | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            if kind is None:
                self._partial.replace(self._path)
        except OSError as failure:
            raise VideoError(f"{self._path} cannot be written: {failure}") from failure
        finally:
            self._partial.unlink(missing_ok=True)

    @property
    def scale(self) -> int:
        """The factor by which `enlarge` should enlarge frames for this format."""
        return self._format.scale

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Add a frame [height, width, 3] RGB; all frames must have the same size. Raises VideoError."""
        due = self._frames * self._fps >= self._written * self._source_fps
        self._frames += 1
        if not due:
            return
        height, width = (side - side % 2 for side in frame.shape[:2])  # the codecs require even sizes
        try:
            if self._stream is None:
                self._stream = self._open_stream(height, width)
            self._encode(self._stream, frame[:height, :width])
        except OSError as error:
            raise VideoError(f"{self._path} cannot be written: {error}") from error
        self._written += 1

    def _open_stream(self, height: int, width: int) -> av.VideoStream:
        rate = Fraction(self._fps).limit_denominator(1000)
        stream = self._container.add_stream(self._format.codec, rate=rate, options=self._format.options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = width, height
        stream.pix_fmt = self._format.pixels
        stream.time_base = Fraction(1, 100) if self._format.codec == "gif" else 1 / rate
        if self._format.codec == "gif":
            self._palette = _palette_graph(width, height, stream.time_base)
        return stream

    def _encode(self, stream: av.VideoStream, frame: NDArray[np.uint8]) -> None:
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        assert stream.time_base is not None
        picture.pts = round(self._written / self._fps / stream.time_base)
        picture.time_base = stream.time_base
        if self._palette is not None:
            self._palette.push(picture)
            pulled = self._palette.pull()
            assert isinstance(pulled, av.VideoFrame)
            picture = pulled
        self._container.mux(stream.encode(picture))


def enlarge(frame: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """`frame` enlarged by `scale` in both directions, with hard edges; a large frame is returned unchanged."""
    if max(frame.shape[:2]) > _SMALL:
        return frame
    return cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)


def _palette_graph(width: int, height: int, time_base: Fraction) -> av.filter.Graph:
    """A filter that gives each frame a palette of its own: an Atari screen has at most 128 colours."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=time_base)
    split, generate = graph.add("split"), graph.add("palettegen", "stats_mode=single")
    use, sink = graph.add("paletteuse", "new=1:dither=none"), graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(generate, 1, 0)
    generate.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph
