"""Plots learning curves: mean raw return over steps, one line per run."""

import os
import warnings
from array import array
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

os.environ["MPLBACKEND"] = "Agg"  # before the import, which fails if the user's value is not a backend

import matplotlib

matplotlib.use("Agg")  # it may have been imported before

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from paac_cli.config import yaml_io
from paac_cli.config.load import load_config, third_party_algorithm
from paac_cli.config.schema import RunConfig
from paac_cli.errors import RunDirectoryError
from paac_cli.files import make_directory, replace_synced
from paac_cli.reporting.reference_scores import published_scores
from paac_cli.runs.metrics_csv import read_rows
from paac_cli.runs.run_directory import CONFIG
from paac_cli.text import one_line, reason, shorten

FORMATS = (".png", ".svg", ".pdf")


class Curve(NamedTuple):
    """The mean return of one run over its steps."""

    name: str
    algorithm: str
    config: RunConfig  #: if the algorithm is third-party, with the default algorithm instead, so as not to import it
    steps: NDArray[np.int64]
    mean_return: NDArray[np.float64]


def read_curve(run: Path) -> Curve:
    """The curve of the run directory `run`. Raises RunDirectoryError and ConfigError."""
    steps, mean_return = array("q"), array("d")
    try:
        for row in read_rows(run / "metrics.csv")[1]:
            steps.append(int(row["steps"]))
            mean_return.append(float(row["rollout/ep_rew_mean"]))
    except FileNotFoundError as error:
        raise RunDirectoryError(
            f"{run} has no metrics.csv to plot; give a run directory, e.g. runs/pong-seed1"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise RunDirectoryError(f"{run} has no metrics to plot: {reason(error)}") from error
    if not steps:
        raise RunDirectoryError(
            f"{run} has no metrics to plot yet; the first row is written after training.log_every steps"
        )
    algorithm, config = _read_config(run / CONFIG)
    return Curve(run.resolve().name, algorithm, config, np.asarray(steps), np.asarray(mean_return))


def _read_config(path: Path) -> tuple[str, RunConfig]:
    """The algorithm's name and the config, without importing third-party code. Raises ConfigError."""
    data = yaml_io.read(path)
    third_party = third_party_algorithm(data)
    config = load_config(data | {"algorithm": {}} if third_party else data, str(path))
    return third_party or config.algorithm.name, config


def plot_runs(runs: list[Path], out: Path) -> None:
    """Plot the curves of `runs`, which must have the same environment and rule set, to the image file `out`.

    Raises RunDirectoryError if a run cannot be read, if the runs are not comparable, or if `out` cannot be written.
    """
    curves = [read_curve(run) for run in runs]
    _require_comparable(curves)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of glyphs that the font lacks, and of very large numbers
            image = _draw(curves, out.suffix.lower().removeprefix("."))
        make_directory(out.parent)
        replace_synced(out, [image])
    except (OSError, ValueError) as error:  # ValueError: the range of the numbers is too large for an axis
        raise RunDirectoryError(f"{out} cannot be written: {reason(error, out)}") from error


def _draw(curves: list[Curve], image_format: str) -> bytes:
    """Raises ValueError if the numbers do not fit an axis."""
    plt.rcParams["agg.path.chunksize"] = 20_000  # otherwise Agg refuses long ragged curves
    config, image = curves[0].config, BytesIO()
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for curve in curves:
        label = _plain(f"{curve.name}: {curve.algorithm}, seed {curve.config.seed}")
        axes.plot(curve.steps, curve.mean_return, label=label, linewidth=1.5)
    _draw_references(axes, config)
    axes.set_title(_plain(", ".join(filter(None, (config.env.id, config.env.rules)))))
    axes.set_xlabel("agent steps" + (" (1 step = 4 frames)" if config.env.is_atari else ""))
    axes.set_ylabel("mean raw return, last 100 games")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")
    try:
        figure.savefig(image, format=image_format, dpi=150)
        return image.getvalue()
    finally:
        plt.close(figure)


def _require_comparable(curves: list[Curve]) -> None:
    """Raises RunDirectoryError if the curves are of different environments, rule sets, modes or difficulties."""
    games = {(curve.config.env.id, curve.config.env.rules) for curve in curves}
    if len(games) > 1:
        names = ", ".join(f"{game} ({rules})" if rules else game for game, rules in sorted(games, key=str))
        raise RunDirectoryError(f"scores of different games or rules are not comparable: {names}. Plot them separately")


def _plain(text: str) -> str:
    """`text` on one line, without control characters; dollar signs, which start formulas in Matplotlib, are escaped."""
    return shorten(one_line(text)).replace("$", r"\$")


def _draw_references(axes: Axes, config: RunConfig) -> None:
    reference = published_scores(config.env)
    if reference is None:
        return
    network, paper = reference.paper(config.network.torso)
    axes.axhline(reference.human, color="grey", linestyle="--", linewidth=1, label=f"human {reference.human:g}")
    axes.axhline(
        paper, color="black", linestyle=":", linewidth=1, label=f"PAAC paper, {network}, rule set paac2017: {paper:g}"
    )
