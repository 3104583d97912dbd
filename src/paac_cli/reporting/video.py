"""Writes video files frame by frame, so that memory does not grow with their length."""

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from paac_cli.errors import VideoError
from paac_cli.files import make_directory, replacement
from paac_cli.text import either, reason


class _Format(NamedTuple):
    codec: str
    pixels: str
    options: dict[str, str]
    scale: int  #: factor by which small frames should be enlarged
    max_fps: float  #: of the file; frames of a faster source are dropped evenly, so that it plays in real time


_FORMATS = {
    # A fixed quantiser needs no look-ahead. Games hardly change from frame to frame, so the file stays small even so.
    ".mp4": _Format("libx264", "yuv420p", {"qp": "20", "preset": "ultrafast"}, 3, 60.0),
    ".webm": _Format(
        "libvpx-vp9", "yuv420p", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "8"}, 3, 60.0
    ),
    ".gif": _Format("gif", "pal8", {}, 2, 30.0),  # browsers slow down GIFs with more than 50 frames per second
}


def check_video_path(path: Path) -> None:
    """Raises VideoError if no video can be written to `path`, as far as that can be known before playing."""
    if path.is_dir():
        raise VideoError(f"{path} cannot be written: it is a directory")
    if path.suffix.lower() not in _FORMATS:
        raise VideoError(f"{path}: unknown video format; use a name that ends in {either([*_FORMATS])}")
    try:
        parent = next(parent for parent in path.absolute().parents if parent.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise VideoError(
                f"{path} cannot be written: {parent} is not a directory that you may write to; "
                "name another file: paac record VIDEO"
            )
    except OSError as error:
        raise VideoError(f"{path} cannot be written: {reason(error, path)}") from error
    codec = _FORMATS[path.suffix.lower()].codec
    if codec not in av.codecs_available:
        others = either([suffix for suffix in _FORMATS if suffix != path.suffix.lower()])
        raise VideoError(f"{path}: this build of PyAV has no {codec} encoder; use a name that ends in {others}")


class VideoWriter:
    """Writes RGB frames to `path`. A context manager: `path` exists only once the video is complete."""

    def __init__(self, path: Path, fps: float) -> None:
        """fps: frames per second at which the frames are played. Raises VideoError."""
        check_video_path(path)
        self._path = path
        self._format = _FORMATS[path.suffix.lower()]
        self._source_fps = fps
        self._fps = min(fps, self._format.max_fps)
        self._frames = self._written = 0
        self._file = contextlib.ExitStack()
        try:
            make_directory(path.parent)
            file = self._file.enter_context(replacement(path))
            self._container = av.open(file, "w", format=path.suffix.lower().removeprefix("."))
        except OSError as error:
            raise VideoError(f"{path} cannot be written: {reason(error, path)}") from error
        self._stream: av.VideoStream | None = None
        self._palette: av.filter.Graph | None = None
        self._yuv = np.empty((0, 0), np.uint8)  # the picture that is encoded: rows of Y, then U, then V

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            with contextlib.suppress(OSError, FFmpegError):  # it may have failed because the disk is full
                self._container.close()
            self._file.__exit__(kind, error, trace)
            return
        try:
            with self._file:
                if self._stream is not None:
                    self._container.mux(self._stream.encode(None))
                self._container.close()
        except (OSError, FFmpegError) as failure:
            raise VideoError(f"{self._path} cannot be written: {failure}") from failure

    @property
    def scale(self) -> int:
        """The factor by which small frames, such as an emulator's screen, should be enlarged for this format."""
        return self._format.scale

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Add `frame` [height, width, 3] uint8 RGB; all frames must have the same size. Raises VideoError."""
        due = self._frames * self._fps >= self._written * self._source_fps
        self._frames += 1
        if not due:
            return
        height, width = (side - side % 2 for side in frame.shape[:2])  # the codecs require even sizes
        try:
            if self._stream is None:
                self._stream = self._open_stream(height, width)
            self._encode(self._stream, frame[:height, :width])
        except (OSError, FFmpegError) as error:
            raise VideoError(f"{self._path} cannot be written: {reason(error, self._path)}") from error
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
        else:
            self._yuv = np.empty((height * 3 // 2, width), np.uint8)
            stream.codec_context.color_range = ColorRange.MPEG
            stream.codec_context.colorspace = Colorspace.ITU601  # that of OpenCV; players would guess BT.709
        return stream

    def _encode(self, stream: av.VideoStream, frame: NDArray[np.uint8]) -> None:
        if self._palette is not None:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        else:
            cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420, dst=self._yuv)
            # Encoders copy what they need. PyAV takes other heights for smaller ones if it does not copy.
            wrap = av.VideoFrame.from_ndarray if len(frame) % 4 else av.VideoFrame.from_numpy_buffer
            picture = wrap(self._yuv, format=self._format.pixels)
        assert stream.time_base is not None
        picture.pts = round(self._written / self._fps / stream.time_base)
        picture.time_base = stream.time_base
        if self._palette is not None:
            self._palette.push(picture)
            pulled = self._palette.pull()
            assert isinstance(pulled, av.VideoFrame)
            picture = pulled
        self._container.mux(stream.encode(picture))


def _palette_graph(width: int, height: int, time_base: Fraction) -> av.filter.Graph:
    """A filter that gives each frame its own palette; an Atari screen has at most 128 colours."""
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
