"""Curves and bars drawn with characters. Colours only repeat what the characters say."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Glyphs(NamedTuple):
    """The characters that are drawn with."""

    levels: str  #: of a sparkline, from low to high
    done: str
    left: str
    parts: str  #: of a bar that is divided into four parts


UNICODE = Glyphs("▁▂▃▄▅▆▇█", "━", "╌", "█▓▒░")
ASCII = Glyphs("_.-~=*#%", "#", "-", "#=-.")


def sparkline(points: Sequence[tuple[float, float]], width: int, levels: str = UNICODE.levels) -> str:
    """The curve of `points` (x, y) with rising x >= 0, from x = 0 on, in at most `width` characters.

    Each character is the mean of the points in its share of the x-axis, or the previous one if it has none. There are
    no more characters than points. Points whose y is not finite are left out.
    """
    size = min(width, len(points))
    if size < 1:
        return ""
    buckets: list[list[float]] = [[] for _ in range(size)]
    for x, y in points:
        if math.isfinite(y):
            buckets[max(math.ceil(x * size / (points[-1][0] or 1)) - 1, 0)].append(y)
    means, previous = list[float](), math.nan
    for bucket in buckets:
        previous = math.fsum(bucket) / len(bucket) if bucket else previous
        means.append(previous)
    known = [mean for mean in means if not math.isnan(mean)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(levels) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if math.isnan(mean) else levels[round((mean - low) * scale)] for mean in means)


def progress_bar(fraction: float, width: int, glyphs: Glyphs = UNICODE) -> tuple[str, str]:
    """The part that is done and the part that is left, together `width` characters. It is full only at 1."""
    done = min(int(max(fraction, 0.0) * width), width)
    return glyphs.done * done, glyphs.left * (width - done)


def divided_bar(shares: Sequence[float], width: int) -> list[int]:
    """The number of characters of each part of a bar of `width` characters; `shares` >= 0 add up to 1.

    The rounded ends of the parts are used, so that the numbers add up to `width`.
    """
    ends = [round(math.fsum(shares[: index + 1]) * width) for index in range(len(shares))]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
