"""Draws text, bars and curves into RGB images [height, width, 3] uint8.

Text is set with Pillow in a font that comes with matplotlib. What it has drawn is cached: most texts of a video repeat.
"""

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]  #: RGB

BACKGROUND: Colour = (13, 17, 23)
TRACK: Colour = (28, 35, 44)  #: behind a bar or curve
LINE: Colour = (61, 70, 82)
DIM: Colour = (139, 148, 158)
BRIGHT: Colour = (235, 240, 246)
ACCENT: Colour = (88, 166, 255)
SHADE: Colour = (24, 46, 76)  #: below a curve

_DIGITS = frozenset("0123456789,.:+-")
_SUBPIXEL = 4  # fractional bits of coordinates


def new_image(height: int, width: int) -> NDArray[np.uint8]:
    """An image [height, width, 3] in the colour of the background."""
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def write(
    image: NDArray[np.uint8],
    text: str,
    x: int,
    y: int,
    size: int,
    colour: Colour = BRIGHT,
    *,
    bold: bool = False,
    align: Literal["left", "right", "centre"] = "left",
    width: int | None = None,
) -> None:
    """Write one line of text, whose capitals have their top left (or right, or centre) corner at (x, y).

    size: of the font, in pixels. width: longer text is shortened with an ellipsis.
    """
    mask, rise = _mask(_shortened(text, size, bold, width), size, bold)
    left = x - {"left": 0, "right": mask.shape[1], "centre": mask.shape[1] // 2}[align]
    top = y - rise
    rows, columns = _visible(top, mask.shape[0], image.shape[0]), _visible(left, mask.shape[1], image.shape[1])
    place = image[rows, columns]
    weight = mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left, np.newaxis]
    place[...] = (place * (255 - weight) + np.array(colour, np.uint16) * weight) // 255


def text_width(text: str, size: int, *, bold: bool = False) -> int:
    """Width of a line of text in pixels."""
    return _mask(text, size, bold)[0].shape[1]


def fill(image: NDArray[np.uint8], x: float, y: float, width: float, height: float, colour: Colour) -> None:
    """Fill a rectangle."""
    image[round(y) : round(y + height), round(x) : round(x + width)] = colour


def draw_curve(image: NDArray[np.uint8], values: NDArray[np.float64], low: float, high: float, end: int) -> None:
    """Fill `image` with the curve of `values` [L], one per column, whose last value is in column `end`, with a dot.

    low, high: ends of the axis, low < high; a line marks 0.
    """
    image[...] = TRACK
    height = image.shape[0]
    y = (high - np.nan_to_num(values, nan=low, posinf=high, neginf=low)) / (high - low) * (height - 11) + 5
    x = np.arange(end + 1 - len(values), end + 1)
    curve = np.rint(np.stack([x, y], axis=1) * 2**_SUBPIXEL).astype(np.int32)
    zero = high / (high - low) * (height - 11) + 5
    base = zero if low < 0 < high else height
    corners = np.rint(np.array([[x[-1], base], [x[0], base]]) * 2**_SUBPIXEL).astype(np.int32)
    cv2.fillPoly(image, [np.vstack([curve, corners])], SHADE, cv2.LINE_8, _SUBPIXEL)
    if low < 0 < high:
        image[round(zero)] = LINE
    cv2.polylines(image, [curve], False, ACCENT, 2, cv2.LINE_AA, _SUBPIXEL)
    cv2.circle(image, tuple(curve[-1].tolist()), 4 << _SUBPIXEL, BRIGHT, -1, cv2.LINE_AA, _SUBPIXEL)


def finite_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """(smallest, largest) of the finite `values`; (inf, -inf) without any."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (np.inf, -np.inf)


def _visible(first: int, length: int, limit: int) -> slice:
    """The part of [first, first + length) that is in [0, limit)."""
    start = min(max(first, 0), limit)
    return slice(start, max(start, min(first + length, limit)))


@lru_cache(1024)
def _shortened(text: str, size: int, bold: bool, width: int | None) -> str:
    if width is None or text_width(text, size, bold=bold) <= width:
        return text
    end = next(
        (end for end in range(len(text) - 1, 0, -1) if text_width(f"{text[:end]}…", size, bold=bold) <= width), 0
    )
    return f"{text[:end]}…"


def _mask(text: str, size: int, bold: bool) -> tuple[NDArray[np.uint16], int]:
    """The text [height, width], 0 to 255, and the rows above its capitals. Numbers are put together from digits."""
    if len(text) > 1 and _DIGITS.issuperset(text):
        digits = [_drawn(character, size, bold) for character in text]
        return np.hstack([mask for mask, _ in digits]), digits[0][1]
    return _drawn(text, size, bold)


@lru_cache(2048)
def _drawn(text: str, size: int, bold: bool) -> tuple[NDArray[np.uint16], int]:
    font = _font(size, bold)
    ascent, descent = font.getmetrics()
    picture = Image.new("L", (max(int(np.ceil(font.getlength(text))), 1), ascent + descent))
    ImageDraw.Draw(picture).text((0, 0), text, fill=255, font=font)
    return np.asarray(picture).astype(np.uint16), int(font.getbbox("H")[1])


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    package = find_spec("matplotlib")  # not imported: that takes long
    assert package is not None
    assert package.origin is not None
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / name), size)
