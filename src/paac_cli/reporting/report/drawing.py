"""Draws a learning curve as a still picture, for a page whose script does not run."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from paac_cli.reporting.report.markup import Html, element
from paac_cli.text import format_count

_WIDTH, _HEIGHT = 560, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 12, 44  # margins
COLOURS = 7  #: classes of the style sheet, line0 to line6

_Numbers = Sequence[float | None]


class _Scale(NamedTuple):
    """A linear map of values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)


def curve_svg(data: dict[str, Any]) -> Html:
    """The first metric of `curve_data` over steps, as SVG; empty if nothing was logged."""
    if not data["metrics"]:
        return Html("")
    metric = data["metrics"][0]["name"]
    curves = [(run["steps"], run["values"].get(metric, [])) for run in data["runs"]]
    mean = data["means"].get(metric, {}).get("steps")
    values = [value for _, ys in curves for value in ys if value is not None]
    x = _Scale(0, max((step for xs, _ in curves for step in xs), default=0) or 1, _LEFT, _WIDTH - _RIGHT)
    y = _Scale(*_range(values), _HEIGHT - _BOTTOM, _TOP)
    lines = [_path(f"curve line{index % COLOURS}", x, y, xs, ys) for index, (xs, ys) in enumerate(curves)]
    if mean:
        band = [*zip(mean["x"], mean["low"], strict=True), *reversed([*zip(mean["x"], mean["high"], strict=True)])]
        points = " ".join(f"{x(step)},{y(value)}" for step, value in band)
        lines.insert(0, element("polygon", points=points, class_="band"))
        lines.append(_path("curve mean", x, y, mean["x"], mean["mean"]))
    return element(
        "svg",
        *_axes(x, y),
        *lines,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"{metric} over agent steps",
        class_=f"plot{' group' if mean else ''}",
    )


def _axes(x: _Scale, y: _Scale) -> Iterator[Html]:
    for value in _ticks(y.low, y.high):
        yield _line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid")
        yield _text(_LEFT - 6, y(value) + 4, f"{value:g}", "end")
    for value in _ticks(x.low, x.high):
        yield _line(x(value), _HEIGHT - _BOTTOM, x(value), _HEIGHT - _BOTTOM + 4, "axis")
        yield _text(x(value), _HEIGHT - _BOTTOM + 18, format_count(value), "middle")
    yield _line(_LEFT, _HEIGHT - _BOTTOM, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, "axis")
    yield _text((_LEFT + _WIDTH) / 2, _HEIGHT - 6, "agent steps", "middle")


def _path(class_: str, x: _Scale, y: _Scale, xs: _Numbers, ys: _Numbers) -> Html:
    """A line through the points, with a gap where a value is missing."""
    commands, is_open = [], False
    for step, value in zip(xs, ys, strict=False):
        if step is None or value is None:
            is_open = False
            continue
        point = f"{x(step)} {y(value)}"
        commands.append(f"L{point}" if is_open else f"M{point}h0")  # h0: a point without neighbours is a dot
        is_open = True
    return element("path", d="".join(commands), class_=class_)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    return element("line", x1=str(x1), y1=str(y1), x2=str(x2), y2=str(y2), class_=class_)


def _text(x: float, y: float, text: str, anchor: str) -> Html:
    return element("text", text, x=str(x), y=str(y), text_anchor=anchor)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that shows `values`."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, about five."""
    rough = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
