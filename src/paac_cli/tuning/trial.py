"""A trial of a study: training with certain settings, and how that went."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from paac_cli.config.schema import RunConfig
from paac_cli.runs.metrics_csv import read_columns
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.runs.saved_run import RETURN

PARTS = 20  #: trials are compared after each of so many equal parts of their steps
EVALUATION = "eval/ep_rew_mean"


class TrialStatus(StrEnum):
    """How far a trial has come, or how it ended."""

    FINISHED = "finished"
    PRUNED = "pruned"  #: stopped early, because others were better after the same number of steps
    FAILED = "failed"  #: learning has diverged, or an environment has failed
    UNFINISHED = "unfinished"  #: it trains, or waits to be resumed


class Trial(BaseModel):
    """One trial. It trains once with each seed of the study, one after the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int  #: from 1
    settings: dict[str, Any]  #: dotted key -> value
    outcome: TrialStatus = TrialStatus.UNFINISHED
    #: Mean return after each part of its steps, seed after seed; None: no game had ended.
    progress: list[float | None] = []
    score: float | None = None  #: mean over seeds of the mean return at the end; None if it has not finished
    reason: str = ""  #: of a failure


def metric_of(config: RunConfig) -> str:
    """The metric that says how well a policy plays: of evaluations, if the config asks for them."""
    return RETURN if config.training.evaluate_every is None else EVALUATION


def read_progress(run: Path, metric: str, total_steps: int) -> list[float | None]:
    """`metric` of the run directory `run` after each part of `total_steps` that it has completed.

    Only rows of metrics.csv count, so that the numbers do not depend on when they are read. Raises OSError and
    ValueError, but not if the run has no rows yet.
    """
    try:
        columns = read_columns(RunDirectory(run).metrics_csv, ["steps", metric])
    except FileNotFoundError:
        return []
    steps, values = columns["steps"], columns[metric]
    if not len(steps):
        return []
    ends = np.arange(1, PARTS + 1) * total_steps / PARTS
    ends[-1] = max(total_steps, steps[-1])  # the last rollout may end after `total_steps`
    is_known = np.isfinite(values)
    return [_last(values[is_known & (steps <= end)]) for end in ends[ends <= steps[-1]]]


def _last(values: Sequence[float]) -> float | None:
    return float(values[-1]) if len(values) else None
