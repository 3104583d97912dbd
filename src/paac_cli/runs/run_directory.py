"""The directory of a run: its config, metrics, checkpoints and films."""

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

Loaded = TypeVar("Loaded", Checkpoint, TrainedPolicy)


class RunDirectory:
    """One run's place on disk. A context manager: while it is open no other process may train there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / CHECKPOINTS
        self.videos = path / "videos"
        self.metrics_csv = path / "metrics.csv"
        self.events = path / "events.log"
        self.tensorboard = path / "tensorboard"
        self._lock: int | None = None

    def claim(self, config: RunConfig, *, fresh: bool) -> None:
        """Lock what is there, if anything, and make sure that `config` may be trained here. Changes nothing.

        Raises RunDirectoryError if another run lives here, if its config differs in what shapes
        learning, if another process is training, or if the directory cannot be used; and TrustError if it
        names code that `config` does not.
        """
        try:
            if not self.path.exists() or all(path.name.startswith(".") for path in self.path.iterdir()):
                return
            if not self.is_run:
                raise RunDirectoryError(
                    f"{self.path} is not empty and not a run directory (no {CONFIG}); choose another"
                )
            self._acquire()
        except OSError as error:
            raise RunDirectoryError(f"run directory {self.path} cannot be used: {error}") from error
        if fresh and self.path.resolve() in (Path.cwd(), *Path.cwd().parents):
            raise RunDirectoryError(f"--fresh would move {self.path.resolve()} aside, and that is where we are")
        if not fresh:
            self._refuse_change(read_config(self.path / CONFIG, trusted=_code_of(config)), config)

    def create(self, config: RunConfig, *, fresh: bool) -> None:
        """After `claim`: make the directory where there is none and write `config` to it.

        fresh: move what is there aside. Raises RunDirectoryError, also if another process has been quicker.
        """
        try:
            if fresh and self._lock is not None:
                self._move_aside()
            was_ours = self._lock is not None
            make_directory(self.path.resolve())  # a link may lead to where there is no longer anything
            self._acquire()
            if self.is_run and not was_ours:
                raise RunDirectoryError(f"another process has begun a run in {self.path} meanwhile")
            replace_synced(self.path / CONFIG, to_yaml(config).encode())
        except OSError as error:
            raise RunDirectoryError(f"run directory {self.path} cannot be used: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):  # of a disk that is gone
                os.close(self._lock)
            self._lock = None

    @property
    def is_run(self) -> bool:
        return (self.path / CONFIG).is_file()

    def save(self, checkpoint: Checkpoint, keep: int) -> None:
        """Write `checkpoint`, then delete what is no longer kept. Raises RunDirectoryError and CheckpointError."""
        try:
            if not self._is_where_it_was():
                raise RunDirectoryError(
                    f"{self.path} has been moved or deleted while it was trained in; what came after its last "
                    "checkpoint is not saved"
                )
            if self.metrics_csv.exists():
                sync_file(self.metrics_csv)  # a run that goes on from here misses none of the rows before
            save_checkpoint(self.checkpoints, checkpoint, keep)
        except OSError as error:
            raise RunDirectoryError(
                f"the checkpoint at step {checkpoint.counters.steps:,} cannot be written: {error}; "
                f"earlier ones in {self.checkpoints} are untouched"
            ) from error

    def latest(self, config: RunConfig, warn: Callable[[str], None]) -> Checkpoint | None:
        """The newest valid checkpoint for a run under `config`, None where there is none yet.

        `warn` hears of each damaged one that is passed over, and of a run that died before its first.
        Raises CheckpointError if none is left, RunDirectoryError if its config differs in what shapes learning, and
        TrustError if one names code that `config` does not.
        """
        paths = list_checkpoints(self.checkpoints)
        for _, checkpoint in valid(paths, partial(load_checkpoint, trusted=_code_of(config)), warn):
            self._refuse_change(checkpoint.config, config)
            return checkpoint
        if paths:
            raise CheckpointError(f"no valid checkpoint is left in {self.checkpoints}; --fresh starts over")
        if self.is_run:
            warn(f"{self.path} holds a run without a checkpoint: it starts over")
        return None

    def _refuse_change(self, old: RunConfig, new: RunConfig) -> None:
        """Raises RunDirectoryError if a run under `old` cannot go on under `new`."""
        changed = changed_settings(old, new)
        if changed:
            lines = "\n".join(f"  {key}: {old!r} there, {new!r} now" for key, (old, new) in changed.items())
            raise RunDirectoryError(
                f"{self.path} holds a run with another config:\n{lines}\n"
                "--run-dir chooses another directory; --fresh starts over and moves the old run aside"
            )

    def _move_aside(self) -> None:
        number, path = 1, self.path.resolve()
        while (aside := path.with_name(f"{path.name}.old-{number}")).exists():
            number += 1
        path.rename(aside)
        self.__exit__()

    def _is_where_it_was(self) -> bool:
        """Whether our path still leads to the directory that is locked."""
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


def valid(
    paths: Iterable[Path], load: Callable[[Path], Loaded], warn: Callable[[str], None]
) -> Iterator[tuple[Path, Loaded]]:
    """Those of `paths` that `load` can read, in their order; `warn` hears of each damaged one that is passed over."""
    for path in paths:
        try:
            yield path, load(path)
        except CheckpointError as error:
            warn(f"{error}; passed over")


def find_policy(
    path: Path, *, last: bool, warn: Callable[[str], None], trusted: Container[str] = ()
) -> tuple[Path, TrainedPolicy]:
    """The policy that `path` means: a checkpoint's own, or the best (or the last) valid one of a run directory.

    Raises CheckpointError, and TrustError if it names code that is not `trusted`.
    """
    try:
        is_checkpoint = (path / MANIFEST).exists()
        is_run = path.is_dir() and (RunDirectory(path).is_run or RunDirectory(path).checkpoints.is_dir())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be looked into: {error}") from error
    if is_checkpoint:
        return path, load_policy(path, trusted)
    if not is_run:
        raise CheckpointError(f"{path} is neither a run directory nor a checkpoint")
    best, others = list_policies(path / CHECKPOINTS), list_checkpoints(path / CHECKPOINTS)
    paths = others if last else [*best, *others]
    if not paths:
        raise CheckpointError(f"{path} has no checkpoint{' but its best policy; leave --last out' if best else ' yet'}")
    for found in valid(paths, partial(load_policy, trusted=trusted), warn):
        return found
    raise CheckpointError(f"no valid checkpoint is left in {path / CHECKPOINTS}")


def newest_run(root: Path) -> Path:
    """The run in `root` that has the newest checkpoint. Raises CheckpointError."""
    manifests = []
    for path in root.rglob(f"{CHECKPOINTS}/*_*/{MANIFEST}"):
        with contextlib.suppress(OSError):  # a link to nowhere
            manifests.append((path.stat().st_mtime, path))
    if not manifests:
        raise CheckpointError(f"no run with a checkpoint in {root}; `paac train --preset pong` makes one")
    return max(manifests)[1].parents[2]


def _code_of(config: RunConfig) -> set[str]:
    return set(code_references(config.model_dump(mode="json")).values())
