"""Finds runs, and the policies in them."""

import contextlib
import os
from collections.abc import Callable, Container, Iterator
from functools import partial
from pathlib import Path

from paac_cli.errors import CheckpointError
from paac_cli.events import Warn
from paac_cli.runs.checkpoint import PolicyArrays, TrainedPolicy, load_policy, load_policy_arrays
from paac_cli.runs.checkpoint_names import list_checkpoints, list_milestones, list_policies
from paac_cli.runs.manifest import MANIFEST
from paac_cli.runs.newest import Content, load_newest
from paac_cli.runs.run_directory import CHECKPOINTS, RunDirectory
from paac_cli.text import counted, reason


def find_policy(path: Path, *, last: bool, warn: Warn, trusted: Container[str] = ()) -> tuple[Path, TrainedPolicy]:
    """The policy at `path`, which is a checkpoint or a run directory, and the path of its checkpoint.

    From a run directory it takes the best policy, or with `last` the latest checkpoint; damaged ones are skipped with a
    warning. Raises CheckpointError, and TrustError if the config references code that is not `trusted`.
    """
    return _load_best(path, partial(load_policy, trusted=trusted), warn, last=last)[0]


def find_progress(path: Path, *, warn: Warn, trusted: Container[str] = ()) -> list[TrainedPolicy]:
    """The policies that the run in `path` had as it learned, at least two, in order of steps.

    Those of its milestones and of its newest checkpoint; without milestones, all that it has kept. Damaged ones are
    skipped with a warning. Raises as `find_policy`, and CheckpointError if `path` is a checkpoint.
    """
    if _is_checkpoint(path):
        raise CheckpointError(f"{path} is one checkpoint; --progress needs a run directory, e.g. runs/pong-seed1")
    directory = path / CHECKPOINTS

    def list_paths() -> list[Path]:
        milestones, checkpoints = list_milestones(directory), list_checkpoints(directory)
        return [*milestones, *checkpoints[:1]] if milestones else [*checkpoints, *list_policies(directory)]

    found = dict[int, TrainedPolicy]()
    for _, policy in load_newest(list_paths, partial(load_policy, trusted=trusted), warn, count=None):
        found.setdefault(policy.counters.steps, policy)
    if len(found) < 2:
        raise CheckpointError(
            f"{path} has kept {counted(len(found), 'policy', 'policies')}, and --progress needs at least two; runs "
            "with training.keep_milestones keep one after 1, 3, 10, 30 and 100 % of training.total_steps"
        )
    return [found[steps] for steps in sorted(found)]


def find_policy_arrays(path: Path, warn: Warn, *, count: int | None = None) -> list[PolicyArrays]:
    """The arrays of the first `count` valid policies at `path`, a checkpoint or a run directory; the best one first.

    count: None: all. Warns of damaged ones. Raises CheckpointError if there is none.
    """
    return [policy for _, policy in _load_best(path, load_policy_arrays, warn, count=count)]


def _load_best(
    path: Path, load: Callable[[Path], Content], warn: Warn, *, last: bool = False, count: int | None = 1
) -> list[tuple[Path, Content]]:
    """As `load_newest`, the policies at `path`, a checkpoint or a run directory: best policies, then checkpoints.

    last: the checkpoints only. Raises CheckpointError if no policy can be loaded.
    """
    if _is_checkpoint(path):
        return [(path, load(path))]
    directory = path / CHECKPOINTS

    def list_paths() -> list[Path]:
        return [*([] if last else list_policies(directory)), *list_checkpoints(directory)]

    if found := load_newest(list_paths, load, warn, count):
        return found
    if list_paths():
        raise CheckpointError(f"no checkpoint in {directory} is valid")
    hint = "only its best policy; leave out --last" if list_policies(directory) else "no checkpoint yet"
    raise CheckpointError(f"{path} has {hint}")


def _is_checkpoint(path: Path) -> bool:
    """Whether `path` is a checkpoint; otherwise it is a run directory. Raises CheckpointError if it is neither."""
    try:
        if (path / MANIFEST).exists():
            return True
        is_run = path.is_dir() and _is_run(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {reason(error, path)}") from error
    if not is_run:
        runs = sorted(runs_below(path))
        found = f"{path} holds {counted(len(runs), 'run')}; give one of them, e.g. {runs[0]}" if runs else None
        raise CheckpointError(
            found or f"{path} is neither a run directory nor a checkpoint; give one, e.g. runs/pong-seed1"
        )
    return False


def newest_run(root: Path) -> Path:
    """The run in `root` with the newest checkpoint. Raises CheckpointError."""
    saved = [(time, run) for run in runs_below(root) for time in _last_save(run)]
    if not saved:
        raise CheckpointError(f"there is no run with a checkpoint in {root}; `paac train --preset pong` makes one")
    return max(saved)[1]


def runs_below(root: Path) -> Iterator[Path]:
    """The run directories in `root`, at any depth. A link is followed if it leads to a run, but not further."""
    for directory, names, _ in os.walk(root):
        found = [name for name in names if _can_be_run(Path(directory, name))]
        yield from (Path(directory, name) for name in found)
        names[:] = [name for name in names if name not in found and not name.startswith(".")]


def _is_run(path: Path) -> bool:
    """Whether `path` is a run directory, perhaps without its config. Raises OSError if it cannot be looked into."""
    return RunDirectory(path).is_run or RunDirectory(path).checkpoints.is_dir()


def _can_be_run(path: Path) -> bool:
    """As `_is_run`, but False if it cannot be looked into."""
    with contextlib.suppress(OSError):
        return _is_run(path)
    return False


def _last_save(run: Path) -> list[float]:
    """The time at which the newest checkpoint of `run` was saved; [] if there is none."""

    def list_paths() -> list[Path]:
        return [*list_checkpoints(run / CHECKPOINTS), *list_policies(run / CHECKPOINTS)]

    def saved_at(path: Path) -> float:
        try:
            return (path / MANIFEST).stat().st_mtime
        except OSError as error:
            raise CheckpointError(f"{path} is damaged: {error}") from error

    with contextlib.suppress(CheckpointError):
        return [time for _, time in load_newest(list_paths, saved_at, lambda text: None)]
    return []
