"""Verifies that a run is a function of its config and its seed.

A stretch of the run is trained again under other circumstances, and the result is compared with the run's own
checkpoint and metrics, bit for bit.
"""

import csv
import hashlib
import sys
from collections.abc import Container, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.errors import CheckpointError, RunDirectoryError, VerificationError
from paac_cli.events import Warn
from paac_cli.files import open_regular
from paac_cli.runs.arrays import Arrays
from paac_cli.runs.checkpoint import PARTS, Checkpoint, list_checkpoints, load_checkpoint
from paac_cli.runs.metrics_csv import depends_on_clock
from paac_cli.runs.run_directory import RunDirectory, load_valid
from paac_cli.runs.runtime import Runtime, approximate_reasons, unique
from paac_cli.sampling.partition import num_workers
from paac_cli.training.progress import window_size

_NEVER = 10**15  # steps
_MAX_RESTARTS = 10
_UNREACHABLE = sys.float_info.max

#: A row of metrics.csv: column -> text, without empty cells and without columns that depend on the clock.
Row = dict[str, str]


class Stretch(NamedTuple):
    """The part of a run between two of its checkpoints."""

    start: Checkpoint | None  #: None: the start of the run
    end: Checkpoint

    @property
    def steps(self) -> range:
        """From the steps done at its start to those done at its end."""
        return range(self.start.counters.steps if self.start else 0, self.end.counters.steps)

    @property
    def seconds(self) -> float:
        """Seconds of training that the run took for it."""
        return self.end.counters.seconds - (self.start.counters.seconds if self.start else 0.0)


class Comparison(NamedTuple):
    """Values of one kind in the run and in the training that repeated it."""

    what: str  #: the kind
    total: int  #: number of values
    different: tuple[str, ...]  #: names of the values that differ
    sha256: str  #: of all values of the run


def find_stretch(directory: Path, *, from_start: bool, trusted: Container[str], warn: Warn) -> Stretch:
    """The stretch of the run in `directory` to train again: from its last checkpoint but one to its last.

    It begins at the start of the run if `from_start`, or if there is only one checkpoint. Warns of damaged ones, which
    are skipped. trusted: code that may be imported because a checkpoint references it.

    Raises CheckpointError if no valid checkpoint exists, TrustError if one references other code, and
    VerificationError if the stretch cannot be trained again.
    """
    run = RunDirectory(directory)
    if not run.is_run:
        raise CheckpointError(f"{directory} is not a run directory")
    paths, load = list_checkpoints(run.checkpoints), partial(load_checkpoint, trusted=trusted)
    found = [checkpoint for _, checkpoint in islice(load_valid(paths, load, warn), 1 if from_start else 2)]
    if not found:
        raise CheckpointError(f"{directory} has no valid checkpoint, so there is nothing to verify")
    end, *before = found
    start = before[0] if before and end.config.algorithm.resumes_exactly else None
    if start and window_size(start.config.training.stop_when) != window_size(end.config.training.stop_when):
        raise VerificationError(
            f"training.stop_when.episodes changed between steps {start.counters.steps:,} and {end.counters.steps:,}, "
            "so the checkpoints keep different numbers of scores; verify again once there are two newer checkpoints"
        )
    return Stretch(start, end)


def segment_configs(stretch: Stretch) -> list[RunConfig]:
    """The configs with which to train `stretch` again, one after the other, each with a pool of its own.

    The first stops half-way. If possible, each has another number of workers than the run. A row of metrics is written
    after every rollout, so that the rows of the run are among them, and a checkpoint only at the end.
    """
    config, steps = stretch.end.config, stretch.steps
    goal = config.training.stop_when  # it decides how many scores are kept
    training = config.training.model_copy(
        update={
            "log_every": 1,
            "checkpoint_every": _NEVER,
            "keep_checkpoints": 1,
            "stop_when": goal and goal.model_copy(update={"mean_return": _UNREACHABLE}),
        }
    )
    ends = [steps[len(steps) // 2], steps.stop] if config.algorithm.resumes_exactly else [steps.stop]
    return [
        config.model_copy(
            update={
                "sampling": config.sampling.model_copy(update={"num_workers": workers, "max_restarts": _MAX_RESTARTS}),
                "training": training.model_copy(update={"total_steps": end}),
            }
        )
        for workers, end in zip(_other_numbers_of_workers(config), ends, strict=False)
    ]


def _other_numbers_of_workers(config: RunConfig) -> tuple[int, int]:
    """One more than the run has and half as many, as far as the number of environments allows it."""
    usual = num_workers(config.sampling)
    return min(usual + 1, config.sampling.max_workers), max(usual // 2, 1)


def compare(run: Checkpoint, again: Checkpoint) -> Iterator[Comparison]:
    """Compare all arrays and counters of two checkpoints, except the seconds of training."""
    for part in PARTS:
        ours, theirs = getattr(run, part), getattr(again, part)
        if part == "progress":
            ours, theirs = _latest_scores(ours, theirs), _latest_scores(theirs, ours)
        yield _compare(part, digests(ours), digests(theirs))
    yield _compare("counters", _counters(run), _counters(again))


def compare_metrics(run: Mapping[int, Row], again: Mapping[int, Row]) -> Comparison:
    """Compare the rows of `run` (steps -> row) with those of the same steps in `again`."""
    ours = {f"{name} at step {steps}": cell for steps, row in run.items() for name, cell in row.items()}
    theirs = {f"{name} at step {steps}": cell for steps in run for name, cell in again.get(steps, {}).items()}
    return _compare("metrics", ours, theirs)


def digests(arrays: Arrays) -> dict[str, str]:
    """Name -> SHA-256 of an array's dtype, shape and bytes."""
    return {name: _digest(array) for name, array in sorted(arrays.items())}


def read_metrics(metrics_csv: Path) -> list[tuple[int, Row]]:
    """(steps, row) of every complete row of metrics.csv, in order; [] if it does not exist (a run shorter than
    `log_every`).

    Raises RunDirectoryError.
    """
    try:
        with open_regular(metrics_csv) as file:
            lines = [line for line in file.read().decode().splitlines(keepends=True) if line.endswith("\n")]
        rows = [
            {name: cell for name, cell in row.items() if cell and not depends_on_clock(name)}
            for row in csv.DictReader(lines, strict=True)
        ]
        return [(int(row.pop("steps")), row) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise RunDirectoryError(f"{metrics_csv} cannot be read: {error!r}") from error


def reasons_to_differ(stretch: Stretch, here: Runtime) -> tuple[str, ...]:
    """Why the bits may differ without a fault: the run was approximate, or its runtime is not that of this process."""
    ends = (checkpoint for checkpoint in (stretch.end, stretch.start) if checkpoint)
    return unique(
        reason
        for checkpoint in ends
        for reason in approximate_reasons(here, checkpoint.runtime, checkpoint.approximate)
    )


def _latest_scores(arrays: Arrays, others: Arrays) -> Arrays:
    """`arrays` with as many scores as `others` has: an earlier `stop_when` may have kept more or fewer."""
    kept = min(len(arrays["scores"]), len(others["scores"]))
    return {**arrays, **{name: arrays[name][len(arrays[name]) - kept :] for name in ("scores", "lengths")}}


def _compare(what: str, run: Mapping[str, str], again: Mapping[str, str]) -> Comparison:
    names = sorted(run.keys() | again.keys())
    different = tuple(name for name in names if run.get(name) != again.get(name))
    sha256 = hashlib.sha256("\n".join(f"{name} {value}" for name, value in run.items()).encode())
    return Comparison(what, len(names), different, sha256.hexdigest())


def _counters(checkpoint: Checkpoint) -> dict[str, str]:
    counters = checkpoint.counters.model_dump(exclude={"seconds"}) | {"score": checkpoint.score}
    return {name: repr(value) for name, value in counters.items()}


def _digest(array: NDArray) -> str:
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
