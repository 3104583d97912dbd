"""The result of a study: its trials, the best first."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paac_cli.reporting.tables import format_table
from paac_cli.text import counted, format_score, shell_quoted, shorten
from paac_cli.tuning.trial import Trial, TrialStatus

_MOST_ROWS = 15


def study_report(trials: Sequence[Trial], best: Trial | None, preset: str) -> dict[str, Any]:
    """The result as data. preset: the file with the settings of the best trial."""
    return {
        "trials": [trial.model_dump(mode="json") for trial in trials],
        "best": None if best is None else {"number": best.number, "score": best.score, "preset": preset},
    }


def format_study(report: dict[str, Any], width: int | None) -> str:
    """The result as text. width: of the terminal; None: not limited."""
    trials = [Trial.model_validate(trial) for trial in report["trials"]]
    ended = sorted((trial for trial in trials if trial.outcome != TrialStatus.UNFINISHED), key=_rank, reverse=True)
    if not ended:
        return "No trial has ended"
    names = ["trial", "score", "", *(key.rpartition(".")[2] for key in ended[0].settings)]
    rows = [_cells(trial) for trial in ended[:_MOST_ROWS]]
    lines = [format_table(names, rows, right=("trial", "score"), width=width)]
    if len(ended) > _MOST_ROWS:
        lines.append(f"and {counted(len(ended) - _MOST_ROWS, 'more trial')}, which --json lists")
    if (best := report["best"]) is not None:
        preset = best["preset"]
        runs = f"{Path(preset).parent}-best"  # each study has its own: the default would be runs/best
        lines.append(
            f"\nThe settings of trial {best['number']} are now a preset. The best of several scores is partly luck, so "
            "train with other seeds:\n"
            f"  paac train --preset {shell_quoted(preset)} --seeds 101-103 --run-dir {shell_quoted(runs)}"
        )
    return "\n".join(lines)


def describe_trial(trial: Trial) -> str:
    """The settings of a trial that begins, or how one has ended."""
    match trial.outcome:
        case TrialStatus.UNFINISHED:
            return ", ".join(f"{key} {_value(value)}" for key, value in trial.settings.items())
        case TrialStatus.FAILED:
            return f"failed: {trial.reason}"
        case TrialStatus.PRUNED:
            return f"pruned at {format_score(_mean_return(trial))}"
        case TrialStatus.FINISHED:
            return f"score {format_score(_mean_return(trial))}"


def _rank(trial: Trial) -> tuple[int, float]:
    """Sort key by which the best is the last."""
    order = (TrialStatus.FAILED, TrialStatus.PRUNED, TrialStatus.FINISHED)
    return order.index(trial.outcome), _mean_return(trial)


def _cells(trial: Trial) -> list[str]:
    score = "" if trial.outcome == TrialStatus.FAILED else format_score(_mean_return(trial))
    ended = "" if trial.outcome == TrialStatus.FINISHED else trial.outcome
    return [str(trial.number), score, ended, *(_value(value) for value in trial.settings.values())]


def _mean_return(trial: Trial) -> float:
    """The score; of a trial that has not finished, the latest mean return, or -infinity before there was one."""
    if trial.score is not None:
        return trial.score
    return next((value for value in reversed(trial.progress) if value is not None), -math.inf)


def _value(value: Any) -> str:
    return shorten(value if isinstance(value, str) else json.dumps(value), 40)
