"""The directory of a run: its config, metrics, checkpoints and films."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from paac_cli.config.load import differences, read_config, to_yaml
from paac_cli.config.schema import RunConfig
from paac_cli.errors import CheckpointError, RunDirectoryError
from paac_cli.training.checkpoint import (
    MANIFEST,
    Checkpoint,
    TrainedPolicy,
    list_checkpoints,
    list_policies,
    load_checkpoint,
    load_policy,
    save_checkpoint,
)

CONFIG = "config.yaml"

Loaded = TypeVar("Loaded", Checkpoint, TrainedPolicy)


class RunDirectory:
    """One run's place on disk. A context manager: while it is open no other process may train there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.videos = path / "videos"
        self.metrics_csv = path / "metrics.csv"
        self.events = path / "events.log"
        self.tensorboard = path / "tensorboard"
        self._lock: int | None = None

    def claim(self, config: RunConfig, *, fresh: bool) -> None:
        """Lock what is there, if anything, and make sure that `config` may be trained here. Changes nothing.

        Raises RunDirectoryError if another run lives here, if its config differs in what shapes
        learning, if another process is training, or if the directory cannot be used.
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
            self.refuse_change(read_config(self.path / CONFIG), config)

    def refuse_change(self, old: RunConfig, new: RunConfig) -> None:
        """Raises RunDirectoryError if a run under `old` cannot go on under `new`."""
        changed = differences(old, new)
        if changed:
            lines = "\n".join(f"  {key}: {old!r} there, {new!r} now" for key, (old, new) in changed.items())
            raise RunDirectoryError(
                f"{self.path} holds a run with another config:\n{lines}\n"
                "--run-dir chooses another directory; --fresh starts over and moves the old run aside"
            )

    def create(self, config: RunConfig, *, fresh: bool) -> None:
        """After `claim`: make the directory where there is none and write `config` to it.

        fresh: move what is there aside. Raises RunDirectoryError.
        """
        try:
            if fresh and self.is_run:
                self._move_aside()
            self.path.mkdir(parents=True, exist_ok=True)
            self._acquire()
            _replace_text(self.path / CONFIG, to_yaml(config))
        except OSError as error:
            raise RunDirectoryError(f"run directory {self.path} cannot be used: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def is_run(self) -> bool:
        return (self.path / CONFIG).is_file()

    def save(self, checkpoint: Checkpoint, keep: int) -> None:
        """Write `checkpoint`, then delete what is no longer kept. Raises RunDirectoryError."""
        try:
            save_checkpoint(self.checkpoints, checkpoint, keep)
        except OSError as error:
            raise RunDirectoryError(
                f"the checkpoint at step {checkpoint.counters.steps:,} cannot be written: {error}; "
                f"earlier ones in {self.checkpoints} are untouched"
            ) from error

    def latest(self, warn: Callable[[str], None]) -> Checkpoint | None:
        """The newest valid checkpoint, None where there is none yet; see `_first_valid`."""
        paths = list_checkpoints(self.checkpoints)
        return _first_valid(paths, load_checkpoint, warn)[1] if paths else None

    def _move_aside(self) -> None:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.old-{number}")).exists():
            number += 1
        self.path.rename(aside)
        self.__exit__()

    def _acquire(self) -> None:
        if self._lock is not None:
            return
        self._lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunDirectoryError(f"another process is training in {self.path}") from None


def _first_valid(paths: list[Path], load: Callable[[Path], Loaded], warn: Callable[[str], None]) -> tuple[Path, Loaded]:
    """The first of `paths` that `load` can read; `warn` hears of each damaged one that is passed over.

    Raises CheckpointError if none can.
    """
    for path in paths:
        try:
            return path, load(path)
        except CheckpointError as error:
            warn(f"{error}; passed over")
    raise CheckpointError(f"no valid checkpoint is left in {paths[0].parent}; --fresh starts over")


def find_policy(path: Path, *, last: bool, warn: Callable[[str], None]) -> tuple[Path, TrainedPolicy]:
    """The policy that `path` means: a checkpoint's own, or the best (or the last) valid one of a run directory.

    Raises CheckpointError.
    """
    if (path / MANIFEST).is_file():
        return path, load_policy(path)
    run = RunDirectory(path)
    if not path.is_dir() or not (run.is_run or run.checkpoints.is_dir()):
        raise CheckpointError(f"{path} is neither a run directory nor a checkpoint")
    paths = [*([] if last else list_policies(run.checkpoints)), *list_checkpoints(run.checkpoints)]
    if not paths:
        only_best = " but its best policy; leave --last out" if list_policies(run.checkpoints) else " yet"
        raise CheckpointError(f"{path} has no checkpoint{only_best}")
    return _first_valid(paths, load_policy, warn)


def newest_run(root: Path) -> Path:
    """The run in `root` that has the newest checkpoint. Raises CheckpointError."""
    manifests = sorted(root.rglob(f"checkpoints/*_*/{MANIFEST}"), key=lambda path: path.stat().st_mtime)
    if not manifests:
        raise CheckpointError(f"no run with a checkpoint in {root}; `paac train --preset pong` makes one")
    return manifests[-1].parents[2]


def _replace_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".partial")
    temporary.write_text(text)
    temporary.replace(path)
