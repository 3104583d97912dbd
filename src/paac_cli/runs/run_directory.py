"""The directory of a run: its config, metrics, checkpoints and videos."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from paac_cli.config.load import changed_settings, read_config, to_yaml
from paac_cli.config.schema import RunConfig
from paac_cli.config.trust import code_references
from paac_cli.errors import CheckpointError, RunDirectoryError
from paac_cli.events import Warn
from paac_cli.files import make_directory, replace_synced, sync_file
from paac_cli.runs.checkpoint import (
    Checkpoint,
    TrainedPolicy,
    list_checkpoints,
    list_policies,
    load_checkpoint,
    load_policy,
    save_checkpoint,
)
from paac_cli.runs.manifest import MANIFEST

CONFIG, CHECKPOINTS = "config.yaml", "checkpoints"
_LOCK = ".lock"

CheckpointKind = TypeVar("CheckpointKind", Checkpoint, TrainedPolicy)


class RunDirectory:
    """One run on disk. A context manager that releases the lock: only one process at a time trains in the directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / CHECKPOINTS
        self.videos = path / "videos"
        self.metrics_csv = path / "metrics.csv"
        self.events = path / "events.log"
        self.tensorboard = path / "tensorboard"
        self._lock: int | None = None

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
            raise RunDirectoryError(f"run directory {self.path} cannot be used: {error}") from error
        if fresh and self.path.resolve() in (Path.cwd(), *Path.cwd().parents):
            raise RunDirectoryError(
                f"--fresh would move {self.path.resolve()} away, but it contains the current directory; "
                "run the command from another directory"
            )
        if not fresh:
            self._require_same(read_config(self.path / CONFIG, trusted=_code_of(config)), config)

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
            replace_synced(self.path / CONFIG, to_yaml(config).encode())
        except OSError as error:
            raise RunDirectoryError(f"run directory {self.path} cannot be used: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):  # the disk may have been removed
                os.close(self._lock)
            self._lock = None

    @property
    def is_run(self) -> bool:
        return (self.path / CONFIG).is_file()

    def save(self, checkpoint: Checkpoint, keep: int) -> None:
        """Write `checkpoint`, then delete all but the latest `keep`. Raises RunDirectoryError and CheckpointError."""
        try:
            if not self._is_same_directory():
                raise RunDirectoryError(
                    f"{self.path} was moved or deleted during training; nothing after its last checkpoint is saved"
                )
            if self.metrics_csv.exists():
                sync_file(self.metrics_csv)  # a run that resumes from here has all rows before it
            save_checkpoint(self.checkpoints, checkpoint, keep)
        except OSError as error:
            raise RunDirectoryError(
                f"the checkpoint at step {checkpoint.counters.steps:,} cannot be written: {error}; "
                f"earlier checkpoints in {self.checkpoints} are unchanged"
            ) from error

    def latest(self, config: RunConfig, warn: Warn) -> Checkpoint | None:
        """The newest valid checkpoint for a run with `config`; None if the run has none yet.

        Warns of each damaged checkpoint that is skipped, and of a run that died before its first checkpoint.
        Raises CheckpointError if all are damaged, RunDirectoryError if a setting that affects learning differs, and
        TrustError if a checkpoint references code that `config` does not.
        """
        paths = list_checkpoints(self.checkpoints)
        for _, checkpoint in load_valid(paths, partial(load_checkpoint, trusted=_code_of(config)), warn):
            self._require_same(checkpoint.config, config)
            return checkpoint
        if paths:
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

    def _is_same_directory(self) -> bool:
        """Whether the path still leads to the locked directory."""
        assert self._lock is not None
        try:
            return os.path.samestat((self.path / _LOCK).stat(), os.fstat(self._lock))
        except FileNotFoundError:
            return False

    def _acquire(self) -> None:
        if self._lock is not None:
            return
        self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunDirectoryError(f"another process is training in {self.path}") from None


def load_valid(
    paths: Iterable[Path], load: Callable[[Path], CheckpointKind], warn: Warn
) -> Iterator[tuple[Path, CheckpointKind]]:
    """(path, checkpoint) for each of `paths` that `load` can read, in order. Warns of each damaged one and skips it."""
    for path in paths:
        try:
            yield path, load(path)
        except CheckpointError as error:
            warn(f"skipped a checkpoint: {error}")


def find_policy(path: Path, *, last: bool, warn: Warn, trusted: Container[str] = ()) -> tuple[Path, TrainedPolicy]:
    """The policy at `path`, which is a checkpoint or a run directory, and the path of its checkpoint.

    From a run directory it takes the best policy, or with `last` the latest checkpoint; damaged ones are skipped with a
    warning. Raises CheckpointError, and TrustError if the config references code that is not `trusted`.
    """
    try:
        is_checkpoint = (path / MANIFEST).exists()
        is_run = path.is_dir() and (RunDirectory(path).is_run or RunDirectory(path).checkpoints.is_dir())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if is_checkpoint:
        return path, load_policy(path, trusted)
    if not is_run:
        raise CheckpointError(f"{path} is neither a run directory nor a checkpoint; give one, e.g. runs/pong-seed1")
    best, others = list_policies(path / CHECKPOINTS), list_checkpoints(path / CHECKPOINTS)
    paths = others if last else [*best, *others]
    if not paths:
        hint = "only its best policy; leave out --last" if best else "no checkpoint yet"
        raise CheckpointError(f"{path} has {hint}")
    for found in load_valid(paths, partial(load_policy, trusted=trusted), warn):
        return found
    raise CheckpointError(f"no checkpoint in {path / CHECKPOINTS} is valid")


def newest_run(root: Path) -> Path:
    """The run in `root` with the newest checkpoint. Raises CheckpointError."""
    manifests = []
    for path in root.rglob(f"{CHECKPOINTS}/*_*/{MANIFEST}"):
        with contextlib.suppress(OSError):  # e.g. a dangling symbolic link
            manifests.append((path.stat().st_mtime, path))
    if not manifests:
        raise CheckpointError(f"there is no run with a checkpoint in {root}; `paac train --preset pong` makes one")
    return max(manifests)[1].parents[2]


def _code_of(config: RunConfig) -> set[str]:
    return set(code_references(config.model_dump(mode="json")).values())
