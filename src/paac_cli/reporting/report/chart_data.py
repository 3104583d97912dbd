"""The learning curves of a report: plain data, which the page's script draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.reporting.curves import Curve, over_seeds
from paac_cli.reporting.reference_scores import published_scores
from paac_cli.runs.metrics_csv import METRICS
from paac_cli.runs.saved_run import RETURN, SavedRun

_SECONDS = "time/time_elapsed"
_MAX_METRICS = 60
_MAX_NUMBERS = 200_000  #: in a page, about 1.5 MB
_MIN_ROWS, _MAX_ROWS = 50, 1_500  #: of one run

Columns = dict[str, NDArray[np.float64]]


def curve_data(runs: Sequence[SavedRun], names: Sequence[str]) -> dict[str, Any]:
    """What the page's script needs to draw the metrics of `runs`; numbers that are not finite are None.

    names: of the curves. Raises RunDirectoryError.
    """
    logged = list(dict.fromkeys(name for run in runs for name in run.last_row if name != "steps"))
    metrics = sorted(logged, key=lambda name: (name != RETURN, name not in METRICS))[:_MAX_METRICS]
    columns = [_finite(run.columns(["steps", _SECONDS, *metrics])) for run in runs]
    metrics = [name for name in metrics if any(np.isfinite(each[name]).any() for each in columns)]
    rows = min(max(_MAX_NUMBERS // (len(runs) * (len(metrics) + 2)), _MIN_ROWS), _MAX_ROWS)
    return {
        "metrics": [{"name": name, "meaning": METRICS.get(name, "")} for name in metrics],
        "axes": _axes(runs[0].config, columns),
        "runs": [
            {
                "name": name,
                "steps": _plain(thin["steps"]),
                "seconds": _plain(thin[_SECONDS]),
                "values": {metric: _plain(thin[metric]) for metric in metrics if np.isfinite(thin[metric]).any()},
            }
            for name, each in zip(names, columns, strict=True)
            for thin in [_thinned(each, rows)]
        ],
        "means": _means(columns, [name for name in metrics if name.startswith("rollout/")]) if len(runs) > 1 else {},
        "references": _references(runs[0].config),
    }


def _axes(config: RunConfig, columns: Sequence[Columns]) -> list[dict[str, Any]]:
    axes = [{"name": "steps", "column": "steps", "factor": 1}]
    if config.env.frames_per_step > 1:
        axes.append({"name": "frames", "column": "steps", "factor": config.env.frames_per_step})
    if any(np.isfinite(each[_SECONDS]).any() for each in columns):
        axes.append({"name": "time", "column": "seconds", "factor": 1})
    return axes


def _means(columns: Sequence[Columns], metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Metric -> column of the x-axis -> interquartile mean and 95 % interval, as far as every run goes."""
    means: dict[str, dict[str, Any]] = {}
    for metric in metrics:
        for name, x in (("steps", "steps"), ("seconds", _SECONDS)):
            if band := over_seeds([_sorted(each[x], each[metric]) for each in columns]):
                means.setdefault(metric, {})[name] = {key: _plain(values) for key, values in band._asdict().items()}
    return means


def _sorted(x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    """The points where both are finite, in the order of `x`, each `x` once."""
    known = np.isfinite(x) & np.isfinite(y)
    x, first = np.unique(x[known], return_index=True)
    return Curve(x, y[known][first])


def _references(config: RunConfig) -> list[dict[str, Any]]:
    """Mean returns to compare with: the goal of the run, and published scores."""
    references: list[dict[str, Any]] = []
    if config.training.stop_when is not None:
        references.append({"name": "goal", "value": config.training.stop_when.mean_return})
    if (scores := published_scores(config.env)) is not None:
        network, paper = scores.paper(config.network.torso)
        references += [
            {"name": "random play", "value": scores.random},
            {"name": "human", "value": scores.human},
            {"name": f"PAAC paper, {network}", "value": paper},
        ]
    return references


def _finite(columns: Columns) -> Columns:
    return {name: np.where(np.abs(values) < 1e300, values, np.nan) for name, values in columns.items()}


def _thinned(columns: Columns, rows: int) -> Columns:
    """At most `rows` of the rows, evenly spaced; the first and the last are kept."""
    size = columns["steps"].size
    if size <= rows:
        return columns
    chosen = np.linspace(0, size - 1, rows).round().astype(int)
    return {name: values[chosen] for name, values in columns.items()}


def _plain(values: NDArray[np.float64]) -> list[float | int | None]:
    """For JSON, with seven digits."""
    return [_rounded(value) if np.isfinite(value) else None for value in values.tolist()]


def _rounded(value: float) -> float | int:
    rounded = float(f"{value:.7g}") if abs(value) < 1e6 else float(round(value))
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded
