"""Draws learning curves: every run, and the interquartile mean of several seeds with its interval."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paac_cli.errors import RunDirectoryError
from paac_cli.files import make_directory, replace_synced
from paac_cli.reporting.curves import STEPS, Curve, over_seeds, read_curve, with_values
from paac_cli.reporting.figures import (
    LineStyle,
    add_legend,
    draw_band,
    label_axes,
    make_panels,
    plain,
    render,
    styles_of,
)
from paac_cli.reporting.plot_aggregate import draw_aggregate
from paac_cli.reporting.reference_scores import published_scores
from paac_cli.reporting.series import Series, sort_into_series
from paac_cli.runs.saved_run import RETURN, SavedRun, read_runs
from paac_cli.text import one_line, reason

FORMATS = (".png", ".svg", ".pdf")

_FAR = 1.5  # reference lines that lie further above the curves than so many times their range are only named


def plot_runs(
    paths: Sequence[Path], out: Path, *, x: str = STEPS, y: str = RETURN, aggregate: bool = False
) -> list[Path]:
    """Plot the runs at or below `paths` to the image file `out`: one panel for each game and its rules.

    x: "steps", "frames" or "time". y: a metric. aggregate: instead, human-normalised scores over all games: their
    interquartile mean, and the performance profile of the final scores.

    Returns the runs that are left out, because their metrics have no value of `y`. Raises RunDirectoryError if all are,
    if a run cannot be read or be part of the aggregate, or if `out` cannot be written; and ConfigError.
    """
    series = sort_into_series(read_runs(paths))
    left_out: list[SavedRun] = []
    if not aggregate:
        series, left_out = with_values(series, y)
        if not series:
            _refuse(left_out, y)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of glyphs that the font lacks, and of very large numbers
            figure = draw_aggregate(series, x) if aggregate else _draw_games(series, x, y)
            image = render(figure, out.suffix.lower().removeprefix("."))
        make_directory(out.parent)
        replace_synced(out, [image])
    except OSError as error:
        raise RunDirectoryError(f"{out} cannot be written: {reason(error, out)}; --out names another file") from error
    except ValueError as error:  # the range of the numbers is too large for an axis
        raise RunDirectoryError(f"{out} cannot be written: {error}") from error
    return [run.path for run in left_out]


def _refuse(runs: Sequence[SavedRun], y: str) -> NoReturn:
    """Raise RunDirectoryError, because none of `runs` has a value of `y`."""
    for run in runs:
        read_curve(run, y=y)  # raises if the metric does not exist
    first = runs[0]
    log_every = first.config.training.log_every
    why = (
        f"nothing to plot yet: its {one_line(y)} is not known; a return needs a finished game"
        if first.last_row
        else f"no metrics to plot: metrics.csv has no row; training.log_every is {log_every:,} steps"
    )
    raise RunDirectoryError(f"{first.path} has {why}")


def _draw_games(series: Sequence[Series], x: str, y: str) -> Figure:
    games = list(dict.fromkeys(one.game for one in series))
    styles, names = styles_of(series), _names(series)
    figure, panels = make_panels(len(games))
    for game, axes in zip(games, panels, strict=True):
        shown = [one for one in series if one.game == game]
        for one in shown:
            _draw_series(axes, [read_curve(run, x, y) for run in one.runs], names[one.label], styles[one.label])
        if y == RETURN:
            _draw_references(axes, shown[0], with_scores=len(games) == 1)
        axes.set_title(plain(game, 44), fontsize="medium")
    label_axes(panels, x, "mean return, 100 games" if y == RETURN else plain(y))
    add_legend(figure, panels)
    return figure


def _draw_series(axes: Axes, curves: Sequence[Curve], name: str, style: LineStyle) -> None:
    """One line per run; of several runs thin ones, below their interquartile mean. A single point gets a marker."""
    band = over_seeds(curves) if len(curves) > 1 else None
    for number, curve in enumerate(curves):
        label = name if band is None and number == 0 else None
        marker = "o" if len(curve.x) == 1 else None
        axes.plot(*curve, label=label, marker=marker, linewidth=1.5 if band is None else 0.6, **style._asdict())
    if band is not None:
        draw_band(axes, band, name, style)


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


def _names(series: Sequence[Series]) -> dict[str, str]:
    """Label -> what the legend shows: with the seeds, if they are the same in all games."""
    sizes: dict[str, dict[tuple[int, ...], str]] = {}
    for one in series:
        seeds = tuple(run.config.seed for run in one.runs)
        sizes.setdefault(one.label, {})[seeds] = f"seed {seeds[0]}" if len(seeds) == 1 else one.size
    return {
        label: plain(label if len(known) > 1 else ", ".join([label, *known.values()])) for label, known in sizes.items()
    }
