"""Environments that render something else than an RGB image, and odd metadata."""

import time
from typing import Any

import numpy as np

from chaos.zoo.case import Outcome, ends_well, fails
from chaos.zoo.toy import Toy, case

_RECORD = "train >/dev/null 2>&1 && record"
_RECORDED = f"{_RECORD} && test -s video.mp4"
_WANTED = ("render", "rgb|array")


@case(fails(2, "none", *_WANTED), _RECORD)
class RendersNone(Toy):
    """render() returns None."""

    def render(self) -> Any:
        return None


@case(fails(2, "float", *_WANTED), _RECORD)
class RendersFloats(Toy):
    """render() returns floats."""

    def render(self) -> Any:
        return super().render() / 255.0


@case(fails(2, "str", *_WANTED), _RECORD)
class RendersText(Toy):
    """render() returns text."""

    def render(self) -> Any:
        return "+---+"


@case(fails(2, "list", *_WANTED), _RECORD)
class RendersList(Toy):
    """render() returns a list of images."""

    def render(self) -> Any:
        return [super().render()]


@case(ends_well(), _RECORDED)
class RendersRgba(Toy):
    """render() returns an image with transparency."""

    def render(self) -> Any:
        return np.full((64, 64, 4), 200, np.uint8)


@case(ends_well(), _RECORDED)
class RendersGrey(Toy):
    """render() returns a grey image."""

    def render(self) -> Any:
        return np.full((64, 64), 200, np.uint8)


@case(ends_well(), _RECORDED)
class RendersGreyWithAxis(Toy):
    """render() returns a grey image with an axis of one channel."""

    def render(self) -> Any:
        return np.full((64, 64, 1), 200, np.uint8)


@case(ends_well(), _RECORDED)
class RendersOddSize(Toy):
    """render() returns an image of odd size that is not contiguous."""

    def render(self) -> Any:
        return np.full((31, 77, 3), 200, np.uint8)[::-1]


@case(ends_well(), _RECORDED)
class RendersPixel(Toy):
    """render() returns a single pixel."""

    def render(self) -> Any:
        return np.full((1, 1, 3), 200, np.uint8)


@case(fails(2, "size|shape"), _RECORD)
class RendersOtherSizes(Toy):
    """render() returns images of growing size."""

    def render(self) -> Any:
        return np.full((64 + 2 * self.steps, 64, 3), 200, np.uint8)


@case(Outcome((1, 2), ("no display",)), _RECORD)
class RaisesInRender(Toy):
    """render() raises."""

    def render(self) -> Any:
        raise RuntimeError("no display")


@case(Outcome((1, 2), ("render", "hung|timeout"), seconds=100), f"{_RECORD}")
class HangsInRender(Toy):
    """render() hangs."""

    def render(self) -> Any:
        time.sleep(10_000)


@case(Outcome((0, 2), ("render_fps",)), _RECORD)
class FpsText(Toy):
    """render_fps is text."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": "fast"}  # noqa: RUF012


@case(Outcome((0, 2), ("render_fps",)), _RECORD)
class FpsNegative(Toy):
    """render_fps is negative."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": -5}  # noqa: RUF012


@case(ends_well(), _RECORDED)
class FpsFraction(Toy):
    """render_fps is a NumPy number with a fraction."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": np.float32(12.5)}  # noqa: RUF012


@case(ends_well(), "train && record && test -s video.mp4")
class NoMetadata(Toy):
    """Has no metadata."""

    metadata = {}  # noqa: RUF012


@case(ends_well(), "train && play")
class MetadataNone(Toy):
    """Has None as metadata."""

    metadata = None  # type: ignore[assignment]


@case(fails(2, "render_mode"), _RECORD)
class TakesNoRenderMode(Toy):
    """Its constructor takes no render_mode."""

    def __init__(self) -> None:
        super().__init__()
