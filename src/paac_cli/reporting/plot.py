"""Draws learning curves: every run, and the interquartile mean of several seeds with its interval."""

import math
import os
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

os.environ["MPLBACKEND"] = "Agg"  # before the import, which fails if the user's value is not a backend

import matplotlib

matplotlib.use("Agg")  # it may have been imported before

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter

from paac_cli.errors import RunDirectoryError
from paac_cli.files import make_directory, replace_synced
from paac_cli.reporting.curves import (
    FRAMES,
    STEPS,
    TIME,
    Band,
    Curve,
    final_scores,
    normalised,
    over_games,
    over_seeds,
    read_curve,
)
from paac_cli.reporting.reference_scores import published_scores
from paac_cli.reporting.series import Series, sort_into_series
from paac_cli.reporting.statistics import performance_profile
from paac_cli.runs.saved_run import RETURN, read_runs
from paac_cli.text import counted, one_line, reason, shorten

FORMATS = (".png", ".svg", ".pdf")

#: Colours that people with any colour vision can distinguish (Okabe and Ito 2008); with the styles, 21 combinations.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", "-.")
_PANELS_PER_ROW = 3
_WIDTH = 9.0  # inches; text of 10 points is legible in a picture that is shown 600 pixels wide
_X_LABELS = {STEPS: "agent steps", FRAMES: "emulator frames", TIME: "minutes of training"}
_FAR = 1.5  # reference lines that lie further above the curves than so many times their range are only named


class _Style(NamedTuple):
    color: str
    linestyle: str


def plot_runs(paths: Sequence[Path], out: Path, *, x: str = STEPS, y: str = RETURN, aggregate: bool = False) -> None:
    """Plot the runs at or below `paths` to the image file `out`: one panel for each game and its rules.

    x: "steps", "frames" or "time". y: a metric. aggregate: instead, human-normalised scores over all games: their
    interquartile mean, and the performance profile of the final scores.

    Raises RunDirectoryError if a run cannot be read, has no such metric, or cannot be part of the aggregate, or if
    `out` cannot be written; and ConfigError.
    """
    series = sort_into_series(read_runs(paths))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of glyphs that the font lacks, and of very large numbers
            figure = _draw_aggregate(series, x) if aggregate else _draw_games(series, x, y)
            image = _render(figure, out.suffix.lower().removeprefix("."))
        make_directory(out.parent)
        replace_synced(out, [image])
    except (OSError, ValueError) as error:  # ValueError: the range of the numbers is too large for an axis
        raise RunDirectoryError(f"{out} cannot be written: {reason(error, out)}") from error


def _draw_games(series: Sequence[Series], x: str, y: str) -> Figure:
    """Raises RunDirectoryError if no run has a point yet."""
    games = list(dict.fromkeys(one.game for one in series))
    styles, names = _styles(series), _names(series)
    figure, panels = _panels(len(games))
    has_points = False
    for game, axes in zip(games, panels, strict=True):
        shown = [one for one in series if one.game == game]
        for one in shown:
            curves = [read_curve(run, x, y) for run in one.runs]
            has_points |= any(len(curve.x) for curve in curves)
            _draw_series(axes, curves, names[one.label], styles[one.label])
        if y == RETURN:
            _draw_references(axes, shown[0], with_scores=len(games) == 1)
        axes.set_title(_plain(game, 44), fontsize="medium")
    if not has_points:
        raise RunDirectoryError(
            f"{series[0].runs[0].path} has no metrics to plot yet; the first row is written after "
            "training.log_every steps"
        )
    _label_axes(panels, x, "mean return, 100 games" if y == RETURN else _plain(y))
    _add_legend(figure, panels)
    return figure


def _draw_series(axes: Axes, curves: Sequence[Curve], name: str, style: _Style) -> None:
    """One line per seed; of several seeds thin ones, below their interquartile mean."""
    band = over_seeds(curves) if len(curves) > 1 else None
    for number, curve in enumerate(curves):
        label = name if band is None and number == 0 else None
        axes.plot(*curve, label=label, linewidth=1.5 if band is None else 0.6, **style._asdict())
    if band is not None:
        _draw_band(axes, band, name, style)


def _draw_band(axes: Axes, band: Band, label: str, style: _Style) -> None:
    axes.plot(band.x, band.mean, label=label, linewidth=2, **style._asdict())
    axes.fill_between(band.x, band.low, band.high, color=style.color, alpha=0.2, linewidth=0)


def _draw_references(axes: Axes, series: Series, *, with_scores: bool) -> None:
    """Lines at published scores. One far above all curves would flatten them: it is named, if that is not ambiguous."""
    reference = published_scores(series.env)
    if reference is None:
        return
    network, paper = reference.paper(series.runs[0].config.network.torso)
    low, high = axes.dataLim.intervaly
    for name, score, style in (
        ("random", reference.random, (0, (1, 4))),
        ("human", reference.human, "--"),
        (f"PAAC paper, {network}, rule set paac2017", paper, ":"),
    ):
        label = f"{name}: {score:g}" if with_scores else name
        if score <= high + _FAR * (high - min(low, reference.random)):
            axes.axhline(score, color="grey", linestyle=style, linewidth=1, label=label)
        elif with_scores:
            axes.plot([], [], color="grey", linestyle=style, linewidth=1, label=f"{label} (above)")


def _draw_aggregate(series: Sequence[Series], x: str) -> Figure:
    """Raises RunDirectoryError."""
    styles = _styles(series)
    by_label = _require_aggregate(series)
    figure, panels = _panels(2)
    highest = 1.0
    for label, parts in by_label.items():
        name = _plain(f"{label}, {counted(len(parts), 'game')}, {counted(len(parts[0].runs), 'seed')}")
        band = over_games(parts, x)
        if band is not None:
            _draw_band(panels[0], band, name, styles[label])
        highest = max(highest, *(float(normalised(part, final_scores(part)).max()) for part in parts))
    thresholds = np.linspace(0, highest, 201)
    for label, parts in by_label.items():
        scores = np.stack([normalised(part, final_scores(part)) for part in parts], axis=1)
        panels[1].plot(thresholds, performance_profile(scores, thresholds), linewidth=2, **styles[label]._asdict())
    panels[0].axhline(1.0, color="grey", linestyle="--", linewidth=1, label="human")
    panels[0].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[0].set_title("interquartile mean over games", fontsize="medium")
    panels[1].xaxis.set_major_formatter(PercentFormatter(1.0))
    panels[1].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[1].set_title("performance profile", fontsize="medium")
    _label_axes(panels[:1], x, "human-normalised score")
    panels[1].set_xlabel("human-normalised score")
    panels[1].set_ylabel("runs with a higher final score")
    panels[1].grid(alpha=0.3)
    _add_legend(figure, panels)
    return figure


def _require_aggregate(series: Sequence[Series]) -> dict[str, list[Series]]:
    """The series of each label, if their scores may be aggregated. Raises RunDirectoryError."""
    by_label: dict[str, list[Series]] = {}
    for one in series:
        if published_scores(one.env) is None:
            raise RunDirectoryError(f"{one.game} has no known human score, so it cannot be part of --aggregate")
        by_label.setdefault(one.label, []).append(one)
    if len(rules := {str(one.env.rules) for one in series}) > 1:
        raise RunDirectoryError(f"scores under different rules are not aggregated: {'; '.join(sorted(rules))}")
    for label, parts in by_label.items():
        if len({len(part.runs) for part in parts}) > 1:
            counts = ", ".join(f"{part.game} {len(part.runs)}" for part in parts)
            raise RunDirectoryError(f"--aggregate needs as many seeds in each game; {one_line(label)} has {counts}")
    if len({frozenset(part.game for part in parts) for parts in by_label.values()}) > 1:
        raise RunDirectoryError("--aggregate needs the same games for all algorithms")
    return by_label


def _styles(series: Sequence[Series]) -> dict[str, _Style]:
    labels = dict.fromkeys(one.label for one in series)
    return {
        label: _Style(_COLOURS[number % len(_COLOURS)], _STYLES[number // len(_COLOURS) % len(_STYLES)])
        for number, label in enumerate(labels)
    }


def _names(series: Sequence[Series]) -> dict[str, str]:
    """Label -> what the legend shows: with the seeds, if they are the same in all games."""
    seeds: dict[str, set[tuple[int, ...]]] = {}
    for one in series:
        seeds.setdefault(one.label, set()).add(tuple(run.config.seed for run in one.runs))
    names = {}
    for label, (first, *others) in seeds.items():
        few = f"seed {first[0]}" if len(first) == 1 else counted(len(first), "seed")
        names[label] = _plain(label if others else f"{label}, {few}")
    return names


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, _PANELS_PER_ROW)
    rows = math.ceil(count / columns)
    height = {1: 5.0, 2: 4.0}.get(columns, 2.8) * rows
    plt.rcParams["agg.path.chunksize"] = 20_000  # otherwise Agg refuses long ragged curves
    figure, grid = plt.subplots(rows, columns, figsize=(_WIDTH, height + 0.6), layout="constrained", squeeze=False)
    axes = list(grid.flat)
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, axes[:count]


def _label_axes(panels: Sequence[Axes], x: str, y: str) -> None:
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


def _add_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend for all panels, below them, where it covers nothing."""
    found = {label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        list(found.values()), list(found), loc="outside lower center", ncols=2, fontsize="small", frameon=False
    )


def _render(figure: Figure, image_format: str) -> bytes:
    """Raises ValueError if the numbers do not fit an axis."""
    image = BytesIO()
    try:
        figure.savefig(image, format=image_format, dpi=150)
        return image.getvalue()
    finally:
        plt.close(figure)


def _plain(text: str, length: int = 200) -> str:
    """`text` on one line, without control characters; dollar signs, which start formulas in Matplotlib, are escaped."""
    return shorten(one_line(text), length).replace("$", r"\$")
