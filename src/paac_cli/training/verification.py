"""Whether a run is what it should be: a function of its config and its seed, and of nothing else.

A stretch of it is trained again under other circumstances, and what comes out is compared, bit by bit, with what the
run has left.
"""

import csv
import hashlib
import sys
from collections.abc import Callable, Container, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.errors import CheckpointError, RunDirectoryError, VerificationError
from paac_cli.files import open_regular
from paac_cli.runs.arrays import Arrays
from paac_cli.runs.checkpoint import PARTS, Checkpoint, list_checkpoints, load_checkpoint
from paac_cli.runs.exactness import APPROXIMATE, compared
from paac_cli.runs.metrics_csv import is_of_the_clock
from paac_cli.runs.run_directory import RunDirectory, valid
from paac_cli.sampling.partition import num_workers
from paac_cli.training.progress import window_of

_NEVER = 10**15  # steps
_RESTARTS = 10
_OUT_OF_REACH = sys.float_info.max

#: A row of metrics.csv: column -> its text, without what is of the clock and without empty cells.
Logged = dict[str, str]


class Stretch(NamedTuple):
    """A part of a run between two of its checkpoints."""

    start: Checkpoint | None  #: None: the start of the run
    end: Checkpoint

    @property
    def steps(self) -> range:
        """After which steps it begins, and with which it ends."""
        return range(self.start.counters.steps if self.start else 0, self.end.counters.steps)

    @property
    def seconds(self) -> float:
        """That the run took for it."""
        return self.end.counters.seconds - (self.start.counters.seconds if self.start else 0.0)


class Comparison(NamedTuple):
    """Things of one kind, as the run has left them and as they came out again."""

    what: str
    total: int
    different: tuple[str, ...]  #: names of those that are not the same
    sha256: str  #: of all of them, as the run has left them


def find_stretch(directory: Path, *, from_start: bool, trusted: Container[str], warn: Callable[[str], None]) -> Stretch:
    """What of the run in `directory` is to be trained again: from its last checkpoint but one to its last.

    From the start of the run if `from_start`, or where there is but one. `warn` hears of damaged ones, which are passed
    over. trusted: code that may be imported because a checkpoint names it.

    Raises CheckpointError where none is left, TrustError where one names other code, VerificationError where the
    stretch cannot be trained again.
    """
    run = RunDirectory(directory)
    if not run.is_run:
        raise CheckpointError(f"{directory} is no run directory")
    paths, load = list_checkpoints(run.checkpoints), partial(load_checkpoint, trusted=trusted)
    found = [checkpoint for _, checkpoint in islice(valid(paths, load, warn), 1 if from_start else 2)]
    if not found:
        raise CheckpointError(f"{directory} has no valid checkpoint, so there is nothing to verify")
    end, *before = found
    start = before[0] if before and end.config.algorithm.resumes_exactly else None
    if start and window_of(start.config.training.stop_when) != window_of(end.config.training.stop_when):
        raise VerificationError(
            f"training.stop_when.episodes has changed between steps {start.counters.steps:,} and "
            f"{end.counters.steps:,}, so that other scores are kept; two checkpoints from here on can be verified"
        )
    return Stretch(start, end)


def sittings(stretch: Stretch) -> list[RunConfig]:
    """The configs to train `stretch` again with, one after the other, each with a pool of its own.

    The first stops half-way; where there can be other numbers of workers than the run's they have them, and some may
    be lost. A row of metrics is
    written after every rollout, so that those of the run are among them, and a checkpoint only in the end.
    """
    config, steps = stretch.end.config, stretch.steps
    goal = config.training.stop_when  # how many scores are kept follows from it
    training = config.training.model_copy(
        update={
            "log_every": 1,
            "checkpoint_every": _NEVER,
            "keep_checkpoints": 1,
            "stop_when": goal and goal.model_copy(update={"mean_return": _OUT_OF_REACH}),
        }
    )
    ends = [steps[len(steps) // 2], steps.stop] if config.algorithm.resumes_exactly else [steps.stop]
    return [
        config.model_copy(
            update={
                "sampling": config.sampling.model_copy(update={"num_workers": workers, "max_restarts": _RESTARTS}),
                "training": training.model_copy(update={"total_steps": end}),
            }
        )
        for workers, end in zip(_other_numbers_of_workers(config), ends, strict=False)
    ]


def _other_numbers_of_workers(config: RunConfig) -> tuple[int, int]:
    """One more and half as many, as far as there are environments for them."""
    usual = num_workers(config.sampling)
    return min(usual + 1, config.sampling.most_workers), max(usual // 2, 1)


def compare(run: Checkpoint, again: Checkpoint) -> Iterator[Comparison]:
    """All that two checkpoints hold, but for the clock."""
    for part in PARTS:
        ours, theirs = getattr(run, part), getattr(again, part)
        if part == "progress":
            ours, theirs = _latest_scores(ours, theirs), _latest_scores(theirs, ours)
        yield _compare(part, digests(ours), digests(theirs))
    yield _compare("counters", _counted(run), _counted(again))


def compare_logs(run: Mapping[int, Logged], again: Mapping[int, Logged]) -> Comparison:
    """The rows of `run`, step -> row, beside those of the same steps in `again`."""
    told = {f"{name} at step {steps}": cell for steps, row in run.items() for name, cell in row.items()}
    told_again = {f"{name} at step {steps}": cell for steps in run for name, cell in again.get(steps, {}).items()}
    return _compare("metrics", told, told_again)


def digests(arrays: Arrays) -> dict[str, str]:
    """Name -> SHA-256 of an array's dtype, shape and bytes."""
    return {name: _digest(array) for name, array in sorted(arrays.items())}


def read_log(metrics_csv: Path) -> list[tuple[int, Logged]]:
    """The whole rows of metrics.csv, in their order: steps, and what else follows from the seed. None where it is
    missing, as in a run shorter than `log_every`.

    Raises RunDirectoryError.
    """
    try:
        with open_regular(metrics_csv) as file:
            lines = [line for line in file.read().decode().splitlines(keepends=True) if line.endswith("\n")]
        rows = [
            {name: cell for name, cell in row.items() if cell and not is_of_the_clock(name)}
            for row in csv.DictReader(lines, strict=True)
        ]
        return [(int(row.pop("steps")), row) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise RunDirectoryError(f"{metrics_csv} cannot be read: {error!r}") from error


def approximations(stretch: Stretch, versions: Mapping[str, str]) -> list[str]:
    """Why the bits may differ though nothing is wrong: what is other here than it was for the run, or has changed in
    its midst.
    """
    ends = (one for one in (stretch.end, stretch.start) if one)
    told = (compared(versions, one.versions).get(APPROXIMATE) for one in ends)
    return list(dict.fromkeys(text for text in told if text))


def _latest_scores(arrays: Arrays, others: Arrays) -> Arrays:
    """`arrays` with as many scores as `others` have: how many are kept is up to what `stop_when` was at the time."""
    kept = min(len(arrays["scores"]), len(others["scores"]))
    return {**arrays, **{name: arrays[name][len(arrays[name]) - kept :] for name in ("scores", "lengths")}}


def _compare(what: str, run: Mapping[str, str], again: Mapping[str, str]) -> Comparison:
    names = sorted(run.keys() | again.keys())
    different = tuple(name for name in names if run.get(name) != again.get(name))
    whole = hashlib.sha256("\n".join(f"{name} {value}" for name, value in run.items()).encode())
    return Comparison(what, len(names), different, whole.hexdigest())


def _counted(checkpoint: Checkpoint) -> dict[str, str]:
    counters = checkpoint.counters.model_dump(exclude={"seconds"}) | {"score": checkpoint.score}
    return {name: repr(value) for name, value in counters.items()}


def _digest(array: NDArray) -> str:
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
