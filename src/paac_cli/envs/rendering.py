"""Frames for videos, from what an environment's `render` returns."""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paac_cli.errors import VideoError

IMAGE = "an RGB image: an array [height, width, 3] uint8"  #: what `render` must return
_SLOWEST, _FASTEST = 0.1, 100_000.0  # frames per second


def draw_without_display() -> None:
    """Let MuJoCo draw with EGL where there is no display, unless MUJOCO_GL is set. Call it before MuJoCo is imported.

    Its default, GLFW, needs a display.
    """
    has_display = sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if not has_display and not os.environ.get("MUJOCO_GL"):
        os.environ["MUJOCO_GL"] = "egl"


def to_rgb(rendered: Any, env_id: str) -> NDArray[np.uint8]:
    """What `render` returned as [height, width, 3] RGB; RGBA loses its fourth channel, and grey gets three.

    Raises VideoError, which says what came and what is wanted.
    """
    if not isinstance(rendered, np.ndarray):
        raise VideoError(f"{env_id}: render() returned {_describe(rendered)}; expected {IMAGE}")
    channels = 1 if rendered.ndim == 2 else rendered.shape[-1] if rendered.ndim == 3 else 0
    if rendered.dtype != np.uint8 or channels not in (1, 3, 4) or not rendered.size:
        raise VideoError(
            f"{env_id}: render() returned an array {list(rendered.shape)} of {rendered.dtype}; expected {IMAGE} "
            "(grey and RGBA are converted)"
        )
    image = rendered.reshape(*rendered.shape[:2], channels)
    return image[:, :, :3] if channels > 1 else np.repeat(image, 3, axis=2)


class FrameMerger:
    """Collects rendered frames and merges every `group` of them to one, as `brightest` does."""

    def __init__(self, group: int) -> None:
        self._group = group
        self._waiting: list[NDArray[np.uint8]] = []
        self._merged: list[NDArray[np.uint8]] = []

    def add(self, frame: NDArray[np.uint8]) -> None:
        """The `FrameHook` of the environment."""
        self._waiting.append(frame.copy())
        if len(self._waiting) == self._group:
            self._flush()

    def take(self, *, is_last: bool = False) -> list[NDArray[np.uint8]]:
        """The frames since the last `take`. is_last: also those of a group that is not complete."""
        if is_last and self._waiting:
            self._flush()
        taken, self._merged = self._merged, []
        return taken

    def _flush(self) -> None:
        self._merged.append(brightest(self._waiting))
        self._waiting.clear()


def brightest(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """One RGB frame from several: each pixel from the frame in which it is brightest.

    So nothing that a game draws in every other frame disappears, as in observations of Atari games.
    """
    merged, *others = frames
    for other in others:
        is_brighter = cv2.compare(_grey(other), _grey(merged), cv2.CMP_GT)
        merged = cv2.copyTo(other, is_brighter, merged.copy())
    return merged


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def frames_per_second(metadata: Any) -> float | None:
    """`render_fps` of an environment's metadata; None if it has none that can be used."""
    value = metadata.get("render_fps") if isinstance(metadata, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    return float(value) if math.isfinite(value) and _SLOWEST <= value <= _FASTEST else None


def require_frame_rate(metadata: Any, env_id: str) -> None:
    """Raise VideoError if `render_fps` of an environment's metadata is given, but cannot be used."""
    value = metadata.get("render_fps") if isinstance(metadata, Mapping) else None
    if value is not None and frames_per_second(metadata) is None:
        raise VideoError(
            f"{env_id}: metadata['render_fps'] is {value!r:.60}; expected a number of frames per second from "
            f"{_SLOWEST:g} to {_FASTEST:,.0f}, or give one with --fps"
        )


def _describe(rendered: Any) -> str:
    if rendered is None:
        return "None"
    kind = type(rendered).__name__
    return f"a {kind} of {len(rendered)}" if isinstance(rendered, list | tuple) else f"a value of type {kind}"
