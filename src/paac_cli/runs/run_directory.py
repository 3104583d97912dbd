"""The directory of a run: its config, metrics, checkpoints and videos."""

import contextlib
import os
from collections.abc import Container, Iterator
from functools import partial
from pathlib import Path
from typing import Self

from paac_cli.config.load import changed_settings, read_config, to_yaml
from paac_cli.config.schema import RunConfig
from paac_cli.config.trust import code_names
from paac_cli.errors import CheckpointError, RunDirectoryError
from paac_cli.events import Warn
from paac_cli.files import make_directory, replace_synced, sync_file
from paac_cli.runs.checkpoint import (
    Checkpoint,
    PolicyArrays,
    TrainedPolicy,
    list_checkpoints,
    list_policies,
    load_checkpoint,
    load_policy,
    load_policy_arrays,
    save_checkpoint,
    save_if_best,
)
from paac_cli.runs.directory_lock import DirectoryLock
from paac_cli.runs.manifest import MANIFEST
from paac_cli.runs.newest import load_newest
from paac_cli.text import reason

CONFIG, CHECKPOINTS = "config.yaml", "checkpoints"


class RunDirectory:
    """One run on disk. A context manager that releases the lock: only one process at a time trains in the directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / CHECKPOINTS
        self.metrics_csv = path / "metrics.csv"
        self.events = path / "events.log"
        self.tensorboard = path / "tensorboard"
        self.tracking_id = path / "tracking_id"
        self._lock: DirectoryLock | None = None

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
            for directory in (self.checkpoints, self.tensorboard, self.path / "wandb"):
                require_no_link(directory)

    def with_its_initial_policy(self, config: RunConfig) -> RunConfig:
        """`config`, beginning with the policy with which the run here has begun, even if it has no checkpoint yet."""
        if not self.is_run or config.init_from is None:
            return config
        begun = read_config(self.path / CONFIG, trusted=code_names(config)).init_from
        return config.with_init_from(sha256=begun.sha256) if begun and config.init_from.sha256 is None else config

    def create(self, config: RunConfig, *, fresh: bool) -> None:
        """After `claim`: make the directory if it does not exist, and write `config` to it.

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
        except OSError as error:
            raise RunDirectoryError(f"run directory {self.path} cannot be used: {reason(error, self.path)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def videos(self) -> Path:
        """Where videos are written. Raises RunDirectoryError if it is a link, which may lead anywhere."""
        directory = self.path / "videos"
        require_no_link(directory)
        return directory

    @property
    def is_run(self) -> bool:
        return (self.path / CONFIG).is_file()

    def save(self, checkpoint: Checkpoint, keep: int) -> None:
        """Write `checkpoint`, then delete all but the latest `keep`. Raises RunDirectoryError and CheckpointError."""
        with self._saving("the checkpoint", checkpoint):
            if self.metrics_csv.exists():
                sync_file(self.metrics_csv)  # a run that resumes from here has all rows before it
            save_checkpoint(self.checkpoints, checkpoint, keep)

    def save_if_best(self, checkpoint: Checkpoint) -> None:
        """Let the policy of `checkpoint` replace the best policy, if its score is as high. Raises as `save` does."""
        with self._saving("the best policy", checkpoint):
            save_if_best(self.checkpoints, checkpoint)

    @contextlib.contextmanager
    def _saving(self, what: str, checkpoint: Checkpoint) -> Iterator[None]:
        try:
            if self._lock is None or not self._lock.is_at(self.path):
                raise RunDirectoryError(
                    f"{self.path} was moved or deleted during training; nothing after its last checkpoint is saved"
                )
            yield
        except OSError as error:
            raise RunDirectoryError(
                f"{what} at step {checkpoint.counters.steps:,} cannot be written: {reason(error)}; "
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
        self.__exit__()

    def _acquire(self) -> None:
        """Raises RunDirectoryError if another process holds the lock, and OSError."""
        if self._lock is not None:
            return
        try:
            self._lock = DirectoryLock(self.path)
        except BlockingIOError:
            raise RunDirectoryError(f"another process is training in {self.path}") from None


def require_no_link(directory: Path) -> None:
    """Raises RunDirectoryError if `directory`, which is part of a run directory, is a symbolic link.

    A run directory may come from somebody else, and a link in it may lead to files of the user.
    """
    if directory.is_symlink():
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
        is_run = path.is_dir() and (RunDirectory(path).is_run or RunDirectory(path).checkpoints.is_dir())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {reason(error, path)}") from error
    if not is_run:
        raise CheckpointError(f"{path} is neither a run directory nor a checkpoint; give one, e.g. runs/pong-seed1")
    return False


def newest_run(root: Path) -> Path:
    """The run in `root` with the newest checkpoint. Raises CheckpointError."""
    saved = [(time, run) for run in _runs_below(root) for time in _last_save(run)]
    if not saved:
        raise CheckpointError(f"there is no run with a checkpoint in {root}; `paac train --preset pong` makes one")
    return max(saved)[1]


def _runs_below(root: Path) -> Iterator[Path]:
    """The directories in `root` that hold checkpoints. A link is followed if it leads to a run, but not further."""
    for directory, names, _ in os.walk(root):
        for path in [Path(directory, name) for name in names]:
            if (path / CHECKPOINTS).is_dir():
                yield path


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
