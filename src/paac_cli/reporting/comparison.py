"""Compares series of runs: what `paac compare` shows."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paac_cli.errors import RunDirectoryError
from paac_cli.reporting.curves import final_scores, normalised, with_values
from paac_cli.reporting.series import Series, differences
from paac_cli.reporting.statistics import ConfidenceInterval, bootstrap, interquartile_mean, probability_of_improvement
from paac_cli.runs.metrics_csv import WINDOW, number_in
from paac_cli.runs.saved_run import RETURN, SavedRun

VARIES = "varies"  #: in place of a setting's value, where it differs between games


def compare(series: Sequence[Series], threshold: float | None = None) -> dict[str, Any]:
    """The comparison as data: one row per series, the probabilities of improvement, and what differs in the configs.

    threshold: the mean return of 100 games to which steps and minutes are counted; None: that of `training.stop_when`,
    if all runs in a game have the same, and it is of 100 games. An interval is [value, low, high]. Runs without a mean
    return are left out. Raises RunDirectoryError, also if all are.
    """
    series, unfinished = with_values(series)
    if not series:
        raise RunDirectoryError(f"{unfinished[0].path} has no mean return in metrics.csv yet: no game has ended")
    return {
        "left_out": [str(run.path) for run in unfinished],
        "rows": [_row(one, threshold if threshold is not None else _common_goal(series, one.game)) for one in series],
        "overall": _overall(series),
        "improvement": _improvements(series),
        "differences": _differences(series),
    }


def _row(series: Series, threshold: float | None) -> dict[str, Any]:
    final = final_scores(series)
    best = np.array([_best(run) for run in series.runs])
    reached = [_reached(run, threshold) for run in series.runs] if threshold is not None else []
    known = [point for point in reached if point is not None]
    human = normalised(series, final)
    return {
        "game": series.game,
        "label": series.label,
        "runs": [str(run.path) for run in series.runs],
        "seeds": [run.config.seed for run in series.runs],
        "steps": [run.steps for run in series.runs],
        "final": _estimate(final),
        "best": None if np.isnan(best).any() else _estimate(best),
        "human_normalised": None if np.isnan(human).any() else _estimate(human),
        "threshold": threshold,
        "reached": len(known),
        "steps_to_threshold": _median([steps for steps, _ in known]),
        "minutes_to_threshold": _median([minutes for _, minutes in known]),
        "steps_per_second": _median([_speed(run) for run in series.runs]),
    }


def _estimate(scores: NDArray[np.float64]) -> ConfidenceInterval:
    return bootstrap(interquartile_mean, scores[:, None])


def _common_goal(series: Sequence[Series], game: str) -> float | None:
    goals = {run.config.training.stop_when for one in series if one.game == game for run in one.runs}
    goal = goals.pop()
    return goal.mean_return if goal is not None and not goals and goal.episodes == WINDOW else None


def _best(run: SavedRun) -> float:
    """The highest mean return of 100 games; NaN before there is one."""
    returns = run.full_means[RETURN]
    return float(returns.max()) if len(returns) else math.nan


def _reached(run: SavedRun, threshold: float) -> tuple[float, float] | None:
    """Agent steps and minutes of training until the mean return of 100 games was `threshold`; None if it never was.

    A run that ends at its goal may reach it after its last row of metrics, at its last checkpoint.
    """
    columns = run.full_means
    rows = np.flatnonzero(columns[RETURN] >= threshold)
    if len(rows):
        return float(columns["steps"][rows[0]]), float(columns["time/time_elapsed"][rows[0]]) / 60
    if run.newest is not None and run.newest.score is not None and run.newest.score >= threshold:
        return float(run.newest.counters.steps), run.newest.counters.seconds / 60
    return None


def _speed(run: SavedRun) -> float:
    """Agent steps per second of training, over all sessions."""
    seconds = number_in(run.last_row.get("time/time_elapsed", ""))
    return number_in(run.last_row.get("steps", "")) / seconds if seconds > 0 else math.nan


def _median(values: Sequence[float]) -> float | None:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else None


def _overall(series: Sequence[Series]) -> list[dict[str, Any]]:
    """For each label with several games: the interquartile mean of its human-normalised final scores over them.

    None if the games have different numbers of runs: those with more would count more.
    """
    rows = []
    for label in dict.fromkeys(one.label for one in series):
        scores = [normalised(one, final_scores(one))[:, None] for one in series if one.label == label]
        scores = [each for each in scores if not np.isnan(each).any()]
        if len(scores) > 1:
            interval = None
            if len({len(each) for each in scores}) == 1:
                interval = bootstrap(lambda *games: interquartile_mean(np.concatenate(games, axis=-2)), *scores)
            rules = sorted({str(one.env.rules) for one in series if one.label == label})
            rows.append({"label": label, "games": len(scores), "rules": rules, "human_normalised": interval})
    return rows


def _improvements(series: Sequence[Series]) -> list[dict[str, Any]]:
    """How probable it is that a run of each further label has a higher final score than one of the first label.

    Averaged over the games in which both have at least two runs: one pair of runs shows nothing, and has no interval. A
    game under other rules is another game.
    """
    scores: dict[str, dict[str, NDArray[np.float64]]] = {}
    for one in series:
        scores.setdefault(one.label, {})[one.game] = final_scores(one)[:, None]
    rows = []
    for label, own in list(scores.items())[1:]:
        first, base = next(iter(scores.items()))
        games = [game for game in own if min(len(own[game]), len(base.get(game, ()))) > 1]
        if games:
            pairs = [each for game in games for each in (own[game], base[game])]
            probability = bootstrap(_mean_improvement, *pairs)
            rows.append({"label": label, "over": first, "games": games, "probability": probability})
    return rows


def _mean_improvement(*scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over games; [...]. scores: of one label and another, each [..., runs, 1], game after game."""
    pairs = zip(scores[::2], scores[1::2], strict=True)
    return np.mean([probability_of_improvement(*pair) for pair in pairs], axis=0)


def _differences(series: Sequence[Series]) -> list[dict[str, Any]]:
    """Each setting in which labels differ in the same game, and its value under each label, if that has one.

    A setting of one algorithm that another does not have is left out. `VARIES`: the value differs between games.
    """
    found: dict[str, dict[str, Any]] = {}
    for game in dict.fromkeys(one.game for one in series):
        same = [one for one in series if one.game == game]
        algorithms = {one.runs[0].algorithm for one in same}
        for keys, values in differences([one.runs[0] for one in same]).items():
            having = {one.runs[0].algorithm for one in same if keys in one.runs[0].settings}
            if keys[0] == "algorithm" and having != algorithms:
                continue
            row = found.setdefault(".".join(keys), {})
            for one, value in zip(same, values, strict=True):
                row[one.label] = value if row.get(one.label, value) == value else VARIES
    return [{"setting": setting, "values": values} for setting, values in found.items() if setting != "algorithm.name"]
