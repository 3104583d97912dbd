"""Verifies that a run is a function of its config and its seed.

An interval of the run is retrained with other numbers of workers, a stop and a killed worker. The resulting checkpoint
and metrics are compared with those of the run, bit for bit.
"""

import hashlib
import sys
from collections.abc import Container, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.errors import CheckpointError, RunDirectoryError, VerificationError
from paac_cli.events import Warn
from paac_cli.machine import available_cores
from paac_cli.runs.arrays import Arrays
from paac_cli.runs.checkpoint import PARTS, Checkpoint, load_checkpoint
from paac_cli.runs.checkpoint_names import list_checkpoints
from paac_cli.runs.metrics_csv import depends_on_clock, read_rows
from paac_cli.runs.newest import load_newest
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.runs.runtime import Runtime, approximate_reasons, unique
from paac_cli.text import reason
from paac_cli.timestep import INFO
from paac_cli.training.progress import window_size

_NEVER = 10**15  # steps
_MAX_RESTARTS = 10
_UNREACHABLE = sys.float_info.max  # mean return
_EVALUATION = "eval/"  # begins the names of its metrics

#: A row of metrics.csv: column -> text, without empty cells and without columns that depend on the clock.
ComparableRow = dict[str, str]


class Interval(NamedTuple):
    """The part of a run between two of its checkpoints."""

    start: Checkpoint | None  #: None: the start of the run
    end: Checkpoint

    @property
    def steps(self) -> range:
        """From the agent steps at its start to those at its end."""
        return range(self.start.counters.steps if self.start else 0, self.end.counters.steps)

    @property
    def seconds(self) -> float:
        """Seconds that the run trained in it."""
        return self.end.counters.seconds - (self.start.counters.seconds if self.start else 0.0)


class Comparison(NamedTuple):
    """Values of one kind in the run and in its retraining."""

    what: str  #: kind of values: a part of a checkpoint, "counters" or "metrics"
    total: int  #: number of values
    different: tuple[str, ...]  #: names of the values that differ
    sha256: str  #: of all values of the run


def find_interval(directory: Path, *, from_start: bool, trusted: Container[str], warn: Warn) -> Interval:
    """The interval to retrain of the run in `directory`: between the last two valid checkpoints.

    It begins at the start of the run if `from_start`, if there is only one valid checkpoint, or if the algorithm does
    not resume exactly. Warns of damaged checkpoints and skips them. trusted: code that may be imported because a
    checkpoint references it.

    Raises CheckpointError if there is no valid checkpoint, TrustError if one references other code, and
    VerificationError if the two checkpoints cannot be compared.
    """
    run = RunDirectory(directory)
    if not run.is_run:
        raise CheckpointError(f"{directory} is not a run directory; give one, e.g. runs/pong-seed1")
    list_paths, load = partial(list_checkpoints, run.checkpoints), partial(load_checkpoint, trusted=trusted)
    found = [checkpoint for _, checkpoint in load_newest(list_paths, load, warn, count=1 if from_start else 2)]
    if not found:
        raise CheckpointError(f"{directory} has no valid checkpoint, so there is nothing to verify")
    end, *before = found
    start = before[0] if before and end.config.algorithm.resumes_exactly else None
    if start and window_size(start.config.training.stop_when) != window_size(end.config.training.stop_when):
        raise VerificationError(
            f"training.stop_when.episodes changed between steps {start.counters.steps:,} and {end.counters.steps:,}, "
            "so the checkpoints keep different numbers of scores; verify again once there are two newer checkpoints"
        )
    return Interval(start, end)


def segment_configs(interval: Interval) -> list[RunConfig]:
    """The configs of the segments in which to retrain `interval`, in order.

    The first segment stops half-way. If possible, both have another number of workers than the run. They write metrics
    after every rollout, so that there is a row for every row of the run, and a checkpoint only at the end.
    """
    config, steps = interval.end.config, interval.steps
    goal = config.training.stop_when  # it decides how many scores are kept
    config = config.with_settings(
        "training",
        log_every=1,
        checkpoint_every=_NEVER,
        keep_checkpoints=1,
        keep_milestones=False,
        stop_when=goal and goal.model_copy(update={"mean_return": _UNREACHABLE}),
    )
    half = steps.start + max(len(steps) // 2, 1)
    ends = [half, steps.stop] if config.algorithm.resumes_exactly else [steps.stop]
    return [
        config.with_settings("training", total_steps=end).with_settings(
            "sampling", num_workers=workers, max_restarts=_MAX_RESTARTS
        )
        for workers, end in zip(_other_numbers_of_workers(config), ends, strict=False)
    ]


def _other_numbers_of_workers(config: RunConfig) -> tuple[int, int]:
    """One worker more than the run has, and half as many, within the limits of `sampling`."""
    usual = available_cores() if config.sampling.num_workers == "auto" else config.sampling.num_workers
    return min(usual + 1, config.sampling.max_workers), max(usual // 2, 1)


def compare(run: Checkpoint, retrained: Checkpoint) -> Iterator[Comparison]:
    """Compare all arrays and counters of two checkpoints, except the seconds of training."""
    for part in PARTS:
        first, second = getattr(run, part), getattr(retrained, part)
        if part == "progress":
            first, second = _latest_scores(first, second), _latest_scores(second, first)
        yield _compare(part, digests(first), digests(second))
    yield _compare("counters", _counters(run), _counters(retrained))


def compare_metrics(run: Mapping[int, ComparableRow], retrained: Mapping[int, ComparableRow]) -> Comparison:
    """Compare the rows of `run` (steps -> row) with the rows at the same steps in `retrained`.

    Columns that the run does not have are left out, because an earlier version of paac may have trained it. So is an
    evaluation that only one of both made: the settings of evaluations may change when a run resumes.
    """
    columns = {name for row in run.values() for name in row}
    both_evaluated = {steps for steps in run if _is_evaluated(run[steps]) and _is_evaluated(retrained.get(steps, {}))}

    def cells(rows: Mapping[int, ComparableRow]) -> dict[str, str]:
        return {
            f"{name} at step {steps}": cell
            for steps in run
            for name, cell in rows.get(steps, {}).items()
            if name in columns and (steps in both_evaluated or not name.startswith(_EVALUATION))
        }

    return _compare("metrics", cells(run), cells(retrained))


def _is_evaluated(row: ComparableRow) -> bool:
    return any(name.startswith(_EVALUATION) for name in row)


def digests(arrays: Arrays) -> dict[str, str]:
    """Name -> SHA-256 of an array's dtype, shape and bytes."""
    return {name: _digest(array) for name, array in sorted(arrays.items())}


def read_metrics(metrics_csv: Path, steps: range | None = None) -> list[tuple[int, ComparableRow]]:
    """(steps, row) for each complete row of metrics.csv, in order; only for rows that end a rollout in `steps`.

    Returns [] if the file does not exist, because the run was stopped before its first row. Raises RunDirectoryError.
    """
    try:
        _, rows = read_rows(metrics_csv, strict=True)
        return [
            (int(row["steps"]), _comparable(row)) for row in rows if steps is None or int(row["steps"]) - 1 in steps
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"{metrics_csv} cannot be read: {reason(error, metrics_csv)}") from error


def _comparable(row: ComparableRow) -> ComparableRow:
    """What follows from config and seed, each number with six digits: earlier versions wrote no more of a count."""
    return {
        name: f"{float(cell):.6g}"
        for name, cell in row.items()
        if cell and name != "steps" and not depends_on_clock(name)
    }


def reasons_to_differ(interval: Interval, here: Runtime) -> tuple[str, ...]:
    """Why results may differ without a bug: the run was approximate, or this process has another runtime."""
    ends = (checkpoint for checkpoint in (interval.end, interval.start) if checkpoint)
    return unique(
        each for checkpoint in ends for each in approximate_reasons(here, checkpoint.runtime, checkpoint.approximate)
    )


def _latest_scores(arrays: Arrays, others: Arrays) -> Arrays:
    """`arrays` with no more scores than `others`: the run may have kept more or fewer under an earlier `stop_when`."""
    kept = min(len(arrays["scores"]), len(others["scores"]))
    per_game = [name for name in arrays if name in ("scores", "lengths") or name.startswith(INFO)]
    return {**arrays, **{name: arrays[name][len(arrays[name]) - kept :] for name in per_game}}


def _compare(what: str, run: Mapping[str, str], retrained: Mapping[str, str]) -> Comparison:
    names = sorted(run.keys() | retrained.keys())
    different = tuple(name for name in names if run.get(name) != retrained.get(name))
    sha256 = hashlib.sha256("\n".join(f"{name} {value}" for name, value in run.items()).encode())
    return Comparison(what, len(names), different, sha256.hexdigest())


def _counters(checkpoint: Checkpoint) -> dict[str, str]:
    counters = checkpoint.counters.model_dump(exclude={"seconds"}) | {"score": checkpoint.score}
    return {name: repr(value) for name, value in counters.items()}


def _digest(array: NDArray) -> str:
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
