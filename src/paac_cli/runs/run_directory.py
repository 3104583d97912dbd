"""The directory of a run: its config, metrics, checkpoints and videos."""

import contextlib
import os
from collections.abc import Container, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from paac_cli.config.load import changed_settings, read_config, to_yaml
from paac_cli.config.schema import RunConfig
from paac_cli.config.trust import code_names
from paac_cli.errors import CheckpointError, PaacError, RunDirectoryError
from paac_cli.events import CheckpointSaved, Warn
from paac_cli.files import make_directory, replace_synced, sync_file
from paac_cli.runs.checkpoint import (
    Checkpoint,
    PolicyArrays,
    TrainedPolicy,
    best_beside,
    list_checkpoints,
    list_milestones,
    list_policies,
    load_checkpoint,
    load_policy,
    load_policy_arrays,
    save_checkpoint,
    save_milestone,
)
from paac_cli.runs.directory_lock import DirectoryLock
from paac_cli.runs.manifest import MANIFEST
from paac_cli.runs.newest import load_newest
from paac_cli.runs.run_record import RunRecord, Status, read_record, write_record
from paac_cli.text import counted, describe_error, reason

CONFIG, CHECKPOINTS = "config.yaml", "checkpoints"


class RunDirectory:
    """One run on disk. A context manager that releases the lock: only one process at a time trains in the directory."""

    def __init__(self, path: Path, preset: str = "") -> None:
        """preset: as in `RunRecord`; needed only to train."""
        self.path, self._preset = path, preset
        self.checkpoints = path / CHECKPOINTS
        self.metrics_csv = path / "metrics.csv"
        self.events = path / "events.log"
        self.tensorboard = path / "tensorboard"
        self._lock: DirectoryLock | None = None
        self._record: RunRecord | None = None  # of the session that `create` has begun

    def claim(self, config: RunConfig, *, fresh: bool) -> None:
        """Lock the directory if it exists, and check that `config` can be trained in it. Changes nothing.

        Raises RunDirectoryError if the directory holds other files or a run whose config differs in a setting that
        affects learning, if another process trains in it, or if it cannot be used; TrustError if its config references
        code that `config` does not.
        """
        try:
            if not self.path.exists() or all(path.name.startswith(".") for path in self.path.iterdir()):
                return
            if not self.is_run:
                raise RunDirectoryError(
                    f"{self.path} is neither empty nor a run directory (it has no {CONFIG}); choose another --run-dir"
                )
            self._acquire()
        except OSError as error:
            raise RunDirectoryError(f"run directory {self.path} cannot be used: {reason(error, self.path)}") from error
        if fresh and self.path.resolve() in (Path.cwd(), *Path.cwd().parents):
            raise RunDirectoryError(
                f"--fresh would move {self.path.resolve()} away, but it contains the current directory; "
                "run the command from another directory"
            )
        if not fresh:
            self._require_same(read_config(self.path / CONFIG, trusted=code_names(config)), config)
            for directory in (self.checkpoints, self.tensorboard):
                require_no_link(directory)

    def with_its_initial_policy(self, config: RunConfig) -> RunConfig:
        """`config`, beginning with the policy with which the run here has begun, even if it has no checkpoint yet."""
        if not self.is_run or config.init_from is None:
            return config
        begun = read_config(self.path / CONFIG, trusted=code_names(config)).init_from
        return config.with_init_from(sha256=begun.sha256) if begun and config.init_from.sha256 is None else config

    def create(self, config: RunConfig, *, fresh: bool) -> None:
        """After `claim`: make the directory if it does not exist, and write `config` and the run's record to it.

        fresh: first rename the existing run. Raises RunDirectoryError, also if another process has begun a run since.
        """
        try:
            if fresh and self._lock is not None:
                self._rename_old_run()
            was_claimed = self._lock is not None
            make_directory(self.path.resolve())  # a dangling symbolic link gets its target
            self._acquire()
            if self.is_run and not was_claimed:
                raise RunDirectoryError(f"another process has begun a run in {self.path}; choose another --run-dir")
            replace_synced(self.path / CONFIG, [to_yaml(config).encode()])
            earlier = read_record(self.path)
            self._record = RunRecord(preset=(earlier and earlier.preset) or self._preset)
            write_record(self.path, self._record)
        except OSError as error:
            raise RunDirectoryError(f"run directory {self.path} cannot be used: {reason(error, self.path)}") from error

    def finish(self) -> None:
        """Record that the run has reached its end. Otherwise the end of the block records that it stopped or failed."""
        self._record_end(Status.FINISHED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._record_end(Status.FAILED, str(error) if isinstance(error, PaacError) else describe_error(error))
        else:
            self._record_end(Status.STOPPED)
        self._release()

    @property
    def videos(self) -> Path:
        """Where videos are written. Raises RunDirectoryError if it is a link, which may lead anywhere."""
        directory = self.path / "videos"
        require_no_link(directory)
        return directory

    @property
    def is_run(self) -> bool:
        return (self.path / CONFIG).is_file()

    def save(self, checkpoint: Checkpoint, keep: int) -> CheckpointSaved:
        """Write `checkpoint`, then delete all but the latest `keep`. Raises RunDirectoryError and CheckpointError."""
        with self._saving("checkpoint", checkpoint.counters.steps):
            if self.metrics_csv.exists():
                sync_file(self.metrics_csv)  # a run that resumes from here has all rows before it
            path = save_checkpoint(self.checkpoints, checkpoint, keep)
        return CheckpointSaved(checkpoint.counters.steps, checkpoint.score, is_best=best_beside(path).exists())

    def save_milestone(self, milestone: Checkpoint) -> None:
        """Write the policy of `milestone`, which is kept for good. Raises as `save` does."""
        with self._saving("milestone", milestone.counters.steps):
            save_milestone(self.checkpoints, milestone)

    @contextlib.contextmanager
    def _saving(self, what: str, steps: int) -> Iterator[None]:
        """Raises RunDirectoryError if the directory is no longer there, and for an OSError in the block."""
        try:
            if self._lock is None or not self._lock.is_at(self.path):
                raise RunDirectoryError(
                    f"{self.path} was moved or deleted during training; nothing after its last checkpoint is saved"
                )
            yield
        except OSError as error:
            raise RunDirectoryError(
                f"the {what} at step {steps:,} cannot be written: {reason(error)}; "
                f"earlier checkpoints in {self.checkpoints} are unchanged"
            ) from error

    def latest(self, config: RunConfig, warn: Warn) -> Checkpoint | None:
        """The newest valid checkpoint for a run with `config`; None if the run has none yet.

        Warns of each damaged checkpoint that is skipped, and of a run that died before its first checkpoint.
        Raises CheckpointError if all are damaged, RunDirectoryError if a setting that affects learning differs, and
        TrustError if a checkpoint references code that `config` does not.
        """
        list_paths = partial(list_checkpoints, self.checkpoints)
        for _, checkpoint in load_newest(list_paths, partial(load_checkpoint, trusted=code_names(config)), warn):
            self._require_same(checkpoint.config, config)
            return checkpoint
        if list_paths():
            raise CheckpointError(f"no checkpoint in {self.checkpoints} is valid; --fresh starts over")
        if self.is_run:
            warn(f"the run in {self.path} has no checkpoint yet; it starts over")
        return None

    def _require_same(self, old: RunConfig, new: RunConfig) -> None:
        """Raises RunDirectoryError if a run with config `old` cannot continue with config `new`."""
        changed = changed_settings(old, new)
        if changed:
            lines = "\n".join(f"  {key}: {before!r} in the run, {now!r} now" for key, (before, now) in changed.items())
            raise RunDirectoryError(
                f"{self.path} holds a run with another config:\n{lines}\n"
                "Choose another directory with --run-dir, or start over with --fresh, which renames the old run"
            )

    def _rename_old_run(self) -> None:
        number, path = 1, self.path.resolve()
        while (old := path.with_name(f"{path.name}.old-{number}")).exists():
            number += 1
        path.rename(old)
        self._release()

    def _record_end(self, status: Status, reason: str = "") -> None:
        """Record how the session that `create` has begun has ended; only the first call does. Ignores a full disk."""
        if self._record is None:
            return
        record, self._record = self._record, None
        with contextlib.suppress(OSError):
            if self._lock is not None and self._lock.is_at(self.path):
                write_record(self.path, record.model_copy(update={"status": status, "reason": reason}))

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _acquire(self) -> None:
        """Raises RunDirectoryError if another process holds the lock, and OSError."""
        if self._lock is not None:
            return
        try:
            self._lock = DirectoryLock(self.path)
        except BlockingIOError:
            raise RunDirectoryError(f"another process is training in {self.path}") from None


def require_no_link(directory: Path) -> None:
    """Raises RunDirectoryError if `directory`, which is part of a run directory, is a symbolic link or unreadable.

    A run directory may come from somebody else, and a link in it may lead to files of the user.
    """
    try:
        is_link = directory.is_symlink()
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be used: {reason(error, directory)}") from error
    if is_link:
        raise RunDirectoryError(
            f"{directory} is a symbolic link, and paac writes through no link in a run directory; replace it by what "
            "it leads to, and link the whole run directory instead if that is on another disk"
        )


def find_policy(path: Path, *, last: bool, warn: Warn, trusted: Container[str] = ()) -> tuple[Path, TrainedPolicy]:
    """The policy at `path`, which is a checkpoint or a run directory, and the path of its checkpoint.

    From a run directory it takes the best policy, or with `last` the latest checkpoint; damaged ones are skipped with a
    warning. Raises CheckpointError, and TrustError if the config references code that is not `trusted`.
    """
    if _is_checkpoint(path):
        return path, load_policy(path, trusted)
    directory = path / CHECKPOINTS

    def list_paths() -> list[Path]:
        return [*([] if last else list_policies(directory)), *list_checkpoints(directory)]

    for found in load_newest(list_paths, partial(load_policy, trusted=trusted), warn):
        return found
    if list_paths():
        raise CheckpointError(f"no checkpoint in {directory} is valid")
    hint = "only its best policy; leave out --last" if list_policies(directory) else "no checkpoint yet"
    raise CheckpointError(f"{path} has {hint}")


def find_progress(path: Path, *, warn: Warn, trusted: Container[str] = ()) -> list[TrainedPolicy]:
    """The policies that the run in `path` had as it learned, at least two, in order of steps.

    Those of its milestones and of its newest checkpoint; without milestones, all that it has kept. Damaged ones are
    skipped with a warning. Raises as `find_policy`, and CheckpointError if `path` is a checkpoint.
    """
    if _is_checkpoint(path):
        raise CheckpointError(f"{path} is one checkpoint; --progress needs a run directory, e.g. runs/pong-seed1")
    directory = path / CHECKPOINTS
    milestones, checkpoints = list_milestones(directory), list_checkpoints(directory)
    found = dict[int, TrainedPolicy]()
    for each in [*milestones, *checkpoints[:1]] if milestones else [*checkpoints, *list_policies(directory)]:
        try:
            policy = load_policy(each, trusted)
        except CheckpointError as error:
            warn(f"skipped a checkpoint: {error}")
        else:
            found.setdefault(policy.counters.steps, policy)
    if len(found) < 2:
        raise CheckpointError(
            f"{path} has kept {counted(len(found), 'policy', 'policies')}, and --progress needs at least two; runs "
            "with training.keep_milestones keep one after 1, 3, 10, 30 and 100 % of training.total_steps"
        )
    return [found[steps] for steps in sorted(found)]


def find_policy_arrays(path: Path, warn: Warn) -> Iterator[PolicyArrays]:
    """The arrays of all valid policies at `path`, which is a checkpoint or a run directory; the best one first.

    Warns of damaged ones. Raises CheckpointError if there is none.
    """
    if _is_checkpoint(path):
        yield load_policy_arrays(path)
        return
    directory = path / CHECKPOINTS
    paths = [*list_policies(directory), *list_checkpoints(directory)]
    if not paths:
        raise CheckpointError(f"{path} has no checkpoint yet")
    damaged = 0
    for each in paths:
        try:
            policy = load_policy_arrays(each)
        except CheckpointError as error:
            warn(f"skipped a checkpoint: {error}")
            damaged += 1
        else:
            yield policy
    if damaged == len(paths):
        raise CheckpointError(f"no checkpoint in {directory} is valid")


def _is_checkpoint(path: Path) -> bool:
    """Whether `path` is a checkpoint; otherwise it is a run directory. Raises CheckpointError if it is neither."""
    try:
        if (path / MANIFEST).exists():
            return True
        is_run = path.is_dir() and _is_run(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {reason(error, path)}") from error
    if not is_run:
        raise CheckpointError(f"{path} is neither a run directory nor a checkpoint; give one, e.g. runs/pong-seed1")
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
        found = [name for name in names if _is_run(Path(directory, name))]
        yield from (Path(directory, name) for name in found)
        names[:] = [name for name in names if name not in found and not name.startswith(".")]


def _is_run(path: Path) -> bool:
    """Whether `path` is a run directory, perhaps without its config."""
    return RunDirectory(path).is_run or RunDirectory(path).checkpoints.is_dir()


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
