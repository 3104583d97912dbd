"""What all pictures of learning curves share: panels, colours, axes and the legend."""

import math
import os
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

os.environ["MPLBACKEND"] = "Agg"  # before the import, which fails if the user's value is not a backend

import matplotlib

matplotlib.use("Agg")  # it may have been imported before

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from paac_cli.reporting.curves import FRAMES, STEPS, TIME, Band
from paac_cli.reporting.series import Series
from paac_cli.text import one_line, shorten

#: Colours that people with any colour vision can distinguish (Okabe and Ito 2008); with the styles, 21 combinations.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", "-.")
_PANELS_PER_ROW = 3
_WIDTH = 9.0  # inches; text of 10 points is legible in a picture that is shown 600 pixels wide
_X_LABELS = {STEPS: "agent steps", FRAMES: "emulator frames", TIME: "minutes of training"}


class LineStyle(NamedTuple):
    """How a series is drawn in all panels; the names are Matplotlib's."""

    color: str
    linestyle: str


def styles_of(series: Sequence[Series]) -> dict[str, LineStyle]:
    """Label -> style."""
    labels = dict.fromkeys(one.label for one in series)
    return {
        label: LineStyle(_COLOURS[number % len(_COLOURS)], _STYLES[number // len(_COLOURS) % len(_STYLES)])
        for number, label in enumerate(labels)
    }


def make_panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels, at most three in a row."""
    columns = min(count, _PANELS_PER_ROW)
    rows = math.ceil(count / columns)
    height = {1: 5.0, 2: 4.0}.get(columns, 2.8) * rows
    plt.rcParams["agg.path.chunksize"] = 20_000  # otherwise Agg refuses long ragged curves
    figure, grid = plt.subplots(rows, columns, figsize=(_WIDTH, height + 0.6), layout="constrained", squeeze=False)
    axes = list(grid.flat)
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, axes[:count]


def draw_band(axes: Axes, band: Band, label: str, style: LineStyle) -> None:
    """Draw the mean of `band` as a line, and its interval as an area."""
    axes.plot(band.x, band.mean, label=label, linewidth=2, **style._asdict())
    axes.fill_between(band.x, band.low, band.high, color=style.color, alpha=0.2, linewidth=0)


def label_axes(panels: Sequence[Axes], x: str, y: str) -> None:
    """Label the left and the lower edge of the whole picture."""
    columns = min(len(panels), _PANELS_PER_ROW)
    for number, axes in enumerate(panels):
        if x != TIME:
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(alpha=0.3)
        if number % columns == 0:
            axes.set_ylabel(y)
        if number + columns >= len(panels):
            axes.set_xlabel(_X_LABELS[x])


def add_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend for all panels, below them, where it covers nothing."""
    found = {label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        list(found.values()), list(found), loc="outside lower center", ncols=2, fontsize="small", frameon=False
    )


def render(figure: Figure, image_format: str) -> bytes:
    """Raises ValueError if the numbers do not fit an axis."""
    image = BytesIO()
    try:
        figure.savefig(image, format=image_format, dpi=150)
        return image.getvalue()
    finally:
        plt.close(figure)


def plain(text: str, length: int = 200) -> str:
    """`text` on one line, without control characters; dollar signs, which start formulas in Matplotlib, are escaped."""
    return shorten(one_line(text), length).replace("$", r"\$")
