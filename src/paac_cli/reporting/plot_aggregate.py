"""Draws scores over several games: their interquartile mean over time, and the profile of the final ones."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from paac_cli.errors import RunDirectoryError
from paac_cli.reporting.curves import final_scores, normalised, over_games
from paac_cli.reporting.figures import add_legend, draw_band, label_axes, make_panels, plain, styles_of
from paac_cli.reporting.reference_scores import published_scores
from paac_cli.reporting.series import Series
from paac_cli.reporting.statistics import performance_profile
from paac_cli.text import counted, one_line


def draw_aggregate(series: Sequence[Series], x: str) -> Figure:
    """Raises RunDirectoryError."""
    styles = styles_of(series)
    by_label = _require_aggregate(series)
    names = {
        label: plain(f"{label}, {counted(len(parts), 'game')}, {parts[0].size}") for label, parts in by_label.items()
    }
    figure, panels = make_panels(2)
    highest = 1.0
    for label, parts in by_label.items():
        band = over_games(parts, x)
        if band is not None:
            draw_band(panels[0], band, names[label], styles[label])
        highest = max(highest, *(float(normalised(part, final_scores(part)).max()) for part in parts))
    thresholds = np.linspace(0, highest, 201)
    for label, parts in by_label.items():
        scores = np.stack([normalised(part, final_scores(part)) for part in parts], axis=1)
        profile = performance_profile(scores, thresholds)
        panels[1].plot(thresholds, profile, label=names[label], linewidth=2, **styles[label]._asdict())
    panels[0].axhline(1.0, color="grey", linestyle="--", linewidth=1, label="human")
    panels[0].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[0].set_title("interquartile mean over games", fontsize="medium")
    panels[1].xaxis.set_major_formatter(PercentFormatter(1.0))
    panels[1].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[1].set_title("performance profile", fontsize="medium")
    label_axes(panels[:1], x, "human-normalised score")
    panels[1].set_xlabel("human-normalised score")
    panels[1].set_ylabel("runs with a higher final score")
    panels[1].grid(alpha=0.3)
    add_legend(figure, panels)
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
