"""Reads runs from disk for reports: quickly, without TensorFlow, and without importing third-party code."""

import contextlib
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paac_cli.config import yaml_io
from paac_cli.config.load import flatten, load_config, third_party_algorithm
from paac_cli.config.trust import playing_arguments
from paac_cli.errors import CheckpointError, RunDirectoryError
from paac_cli.runs.checkpoint_names import list_checkpoints, list_policies
from paac_cli.runs.directory_lock import is_locked
from paac_cli.runs.find import runs_below
from paac_cli.runs.manifest import Manifest, read_manifest
from paac_cli.runs.metrics_csv import WINDOW, read_columns, read_last_row
from paac_cli.runs.run_directory import CONFIG, SET_ASIDE, RunDirectory
from paac_cli.runs.run_record import RunRecord, Status, read_record
from paac_cli.text import reason

RETURN = "rollout/ep_rew_mean"  #: the metric that says how well a policy plays in training


class SavedRun:
    """A run directory. Each property reads its file when it is used for the first time."""

    def __init__(self, path: Path) -> None:
        """Raises RunDirectoryError if `path` is not a run directory, and ConfigError if its config is not valid."""
        self._files = RunDirectory(path)
        if not self._files.is_run:
            raise RunDirectoryError(f"{path} is not a run directory (it has no {CONFIG})")
        self.path = path
        self._columns: dict[tuple[str, ...], dict[str, NDArray[np.float64]]] = {}
        self._data = yaml_io.read(path / CONFIG)
        third_party = third_party_algorithm(self._data)
        #: If the algorithm is third-party, `config` has the default algorithm instead, so as not to import it.
        self.config = load_config(self._data | {"algorithm": {}} if third_party else self._data, str(path / CONFIG))
        self.algorithm = third_party or self.config.algorithm.name

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.resolve().name

    @property
    def playing_arguments(self) -> str:
        """The run as arguments of a command that plays its policy, quoted for a shell."""
        return playing_arguments(self.path, self._data)

    @cached_property
    def settings(self) -> dict[tuple[str, ...], Any]:
        """Keys of every setting -> its value; of a third-party algorithm, those that its config file has."""
        data = self.config.model_dump(mode="json")
        if self.algorithm != self.config.algorithm.name:
            data["algorithm"] = self._data["algorithm"]
        return dict(flatten(data))

    @cached_property
    def _record(self) -> RunRecord | None:
        return read_record(self.path)

    @property
    def preset(self) -> str:
        """The preset that the run was started with, as the user gave it; empty if unknown."""
        return self._record.preset if self._record else ""

    @property
    def failure(self) -> str:
        """Why the run has failed; empty if it has not."""
        return self._record.reason if self._record and self.status == Status.FAILED else ""

    @cached_property
    def status(self) -> Status:
        """How far the run has come, or how its latest session ended."""
        if is_locked(self.path):
            return Status.RUNNING
        if self._record is None:
            return Status.FINISHED if self._seems_complete else Status.STOPPED
        return Status.KILLED if self._record.status == Status.RUNNING else self._record.status

    @property
    def _seems_complete(self) -> bool:
        """Whether a run that an earlier version has made, without a record, has probably reached its end."""
        goal = self.config.training.stop_when
        score = self.last_saved.score if self.last_saved else None
        reached = goal is not None and score is not None and score >= goal.mean_return
        return reached or self.steps >= self.config.training.total_steps

    @cached_property
    def best(self) -> Manifest | None:
        """The manifest of the best policy; None if there is none that can be read."""
        return _first_readable(list_policies, self._files.checkpoints)

    @cached_property
    def newest(self) -> Manifest | None:
        """The manifest of the newest checkpoint; None if there is none that can be read."""
        return _first_readable(list_checkpoints, self._files.checkpoints)

    @property
    def last_saved(self) -> Manifest | None:
        """The manifest of the newest checkpoint, or, where only the best policy was kept, of that; None if neither."""
        return self.newest or self.best

    @cached_property
    def last_row(self) -> dict[str, str]:
        """The last row of metrics, column -> text; empty if there is none. Raises RunDirectoryError."""
        try:
            return read_last_row(self._files.metrics_csv)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from error

    @property
    def steps(self) -> int:
        """Agent steps so far, as of the last row of metrics or what was saved last. Raises RunDirectoryError."""
        return max(int(self.last_row.get("steps", 0)), self.last_saved.counters.steps if self.last_saved else 0)

    @property
    def changed_at(self) -> float:
        """When the run was last written to, in seconds since 1970. Raises RunDirectoryError."""
        files = (self._files.metrics_csv, self._files.events, self.path / CONFIG)
        try:
            return max(file.stat().st_mtime for file in files if file.exists())
        except (OSError, ValueError) as error:  # ValueError: not one of them exists
            raise RunDirectoryError(f"{self.path} was moved or deleted") from error

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(_sizes(self.path))

    def columns(self, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """These columns of its metrics, each [rows]; NaN where a number is missing. Raises RunDirectoryError.

        A run may end between two rows: if its last checkpoint is newer than the last row, it has a row, too.
        """
        wanted = tuple(names)
        if wanted not in self._columns:
            try:
                columns = read_columns(self._files.metrics_csv, wanted)
            except FileNotFoundError:
                columns = {name: np.empty(0) for name in wanted}
            except (OSError, ValueError) as error:
                raise self._unreadable(error) from error
            end = self._end_between_rows
            self._columns[wanted] = {
                name: np.append(numbers, end.get(name, math.nan)) if end else numbers
                for name, numbers in columns.items()
            }
        return self._columns[wanted]

    @cached_property
    def full_means(self) -> dict[str, NDArray[np.float64]]:
        """As `columns`: steps, seconds and mean return, where that is of 100 games; of fewer, it may be luck.

        Raises RunDirectoryError.
        """
        names = ["steps", "time/time_elapsed", RETURN]
        columns = self.columns([*names, "rollout/episodes"])
        # The number of games is NaN for a last checkpoint, which has a score only after 100 games.
        is_full = np.isfinite(columns[RETURN]) & ~(columns["rollout/episodes"] < WINDOW)
        return {name: columns[name][is_full] for name in names}

    @property
    def _end_between_rows(self) -> dict[str, float]:
        """Metric -> value at the last checkpoint, if there are rows and it is newer than they are; otherwise empty."""
        saved = self.last_saved
        if saved is None or saved.is_evaluated or saved.score is None:
            return {}
        if not self.last_row or saved.counters.steps <= int(self.last_row["steps"]):
            return {}
        return {"steps": saved.counters.steps, "time/time_elapsed": saved.counters.seconds, RETURN: saved.score}

    def _unreadable(self, error: Exception) -> RunDirectoryError:
        return RunDirectoryError(f"{self.path} has no metrics that can be read: {reason(error)}")


def find_runs(path: Path) -> list[Path]:
    """The run directory at `path`, or all below it: a group of runs, or all of a user. In natural order.

    A link below it is followed if it leads to a run. Raises RunDirectoryError if there is none, and OSError.
    """
    if RunDirectory(path).is_run:
        return [path]
    found = sorted((run for run in runs_below(path) if RunDirectory(run).is_run), key=_natural)
    if not found:
        if path.is_file():
            raise RunDirectoryError(f"{path} is a file; give a run directory, or a directory of runs")
        missing = "" if path.exists() else ": it does not exist"
        raise RunDirectoryError(f"{path} holds no run{missing}; `paac train --preset pong` makes one in runs/")
    return found


def read_runs(paths: Iterable[Path]) -> list[SavedRun]:
    """The runs at or below `paths`, each once. Raises RunDirectoryError and ConfigError.

    Below a path, runs that `paac train --fresh` has set aside are left out: they have the seeds of others.
    """
    found = [run for path in paths for run in find_runs(path) if run == path or not SET_ASIDE.search(run.name)]
    return [SavedRun(run) for run in {run.resolve(): run for run in found}.values()]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which seed2 comes before seed10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", str(path))]


def _first_readable(list_paths: Callable[[Path], list[Path]], directory: Path) -> Manifest | None:
    with contextlib.suppress(CheckpointError):  # it cannot be listed
        for path in list_paths(directory):
            with contextlib.suppress(CheckpointError):
                return read_manifest(path)
    return None


def _sizes(directory: Path) -> Iterator[int]:
    """Bytes of each file below `directory`. What a run that trains deletes meanwhile is left out."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(Path(entry.path))
            else:
                with contextlib.suppress(OSError):
                    yield entry.stat(follow_symlinks=False).st_size
