"""The directory of a run: its config, metrics, checkpoints and videos."""

import contextlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from paac_cli.config.load import changed_settings, read_config, to_yaml
from paac_cli.config.schema import RunConfig
from paac_cli.config.trust import code_names
from paac_cli.errors import (
    CheckpointError,
    PaacError,
    RunDirectoryError,
    TrustError,
    UnreadableCheckpointError,
)
from paac_cli.events import CheckpointSaved, Warn
from paac_cli.files import make_directory, replace_synced, sync_file
from paac_cli.runs.checkpoint import (
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
    save_if_best,
    save_milestone,
)
from paac_cli.runs.checkpoint_names import is_best, list_checkpoints, list_policies
from paac_cli.runs.directory_lock import DirectoryLock
from paac_cli.runs.manifest import read_manifest
from paac_cli.runs.newest import load_newest
from paac_cli.runs.run_record import RunRecord, Status, read_record, write_record
from paac_cli.text import describe_error, reason, shell_quoted

CONFIG, CHECKPOINTS = "config.yaml", "checkpoints"
_OTHER_RUN = "Choose another directory with --run-dir, or start over with --fresh, which renames the old run"
SET_ASIDE = re.compile(r"\.old-[0-9]+$")  #: end of the name of a run that `--fresh` has renamed


class RunDirectory:
    """One run on disk. A context manager that releases the lock: only one process at a time trains in the directory."""

    def __init__(self, path: Path, preset: str = "") -> None:
        """preset: as in `RunRecord`; needed only to train."""
        self.path, self._preset = path, preset
        self.checkpoints = path / CHECKPOINTS
        self.metrics_csv = path / "metrics.csv"
        self.events = path / "events.log"
        self.tensorboard = path / "tensorboard"
        self.tracking_id = path / "tracking_id"
        self._lock: DirectoryLock | None = None
        self._record: RunRecord | None = None  # of the session that `create` has begun

    def claim(self, config: RunConfig, *, fresh: bool) -> None:
        """Lock the directory if it exists, and check that `config` can be trained in it. Changes nothing.

        Raises RunDirectoryError if the directory holds other files or a run whose config differs in a setting that
        affects learning or references other code, if another process trains in it, or if it cannot be used.
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
            try:
                own = read_config(self.path / CONFIG, trusted=code_names(config))
            except TrustError as error:
                raise RunDirectoryError(
                    f"{self.path} holds a run with code that this command does not name: {error.code}\n"
                    f"To resume that run, name its code with --env or --set. {_OTHER_RUN}"
                ) from error
            self._require_same(own, config)
            for directory in (self.checkpoints, self.tensorboard, self.path / "wandb"):
                require_no_link(directory)

    def with_its_initial_policy(self, config: RunConfig) -> RunConfig:
        """`config`, beginning with the policy with which the run here has begun, even if it has no checkpoint yet."""
        if not self.is_run or config.init_from is None:
            return config
        begun = read_config(self.path / CONFIG, trusted=code_names(config)).init_from
        if begun is None or config.init_from.sha256 is not None:
            return config
        return config.with_settings("init_from", sha256=begun.sha256)

    def create(self, config: RunConfig, *, fresh: bool) -> None:
        """After `claim`: make the directory if it does not exist, and write `config` and the run's record to it.

        fresh: first rename the existing run.

        Raises ConfigError if `config` is too large; RunDirectoryError, also if another process has begun a run since.
        """
        text = to_yaml(config)
        try:
            if fresh and self._lock is not None:
                self._rename_old_run()
            was_claimed = self._lock is not None
            make_directory(self.path.resolve())  # a dangling symbolic link gets its target
            self._acquire()
            if self.is_run and not was_claimed:
                raise RunDirectoryError(f"another process has begun a run in {self.path}; choose another --run-dir")
            replace_synced(self.path / CONFIG, [text.encode()])
            earlier = read_record(self.path)
            self._record = RunRecord(preset=(earlier and earlier.preset) or self._preset)
            write_record(self.path, self._record)
        except OSError as error:
            raise RunDirectoryError(f"run directory {self.path} cannot be used: {reason(error, self.path)}") from error

    def finish(self) -> None:
        """Record that the run has reached its end. Otherwise the end of the block records that it stopped or failed."""
        self._record_end(Status.FINISHED)

    def finish_earlier(self) -> None:
        """Record that the run was at its end already: its last session may have been killed just before it said so."""
        earlier = read_record(self.path)
        if earlier is not None and earlier.status != Status.FINISHED:
            with contextlib.suppress(OSError):
                write_record(self.path, earlier.model_copy(update={"status": Status.FINISHED, "reason": ""}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, Exception):
                self._record_end(Status.FAILED, str(error) if isinstance(error, PaacError) else describe_error(error))
            else:
                self._record_end(Status.STOPPED)
        finally:
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

    def save(self, checkpoint: Checkpoint, keep: int, *, may_be_best: bool) -> CheckpointSaved:
        """Write `checkpoint`, then delete all but the latest `keep`. Raises RunDirectoryError and CheckpointError.

        may_be_best: whether its policy replaces the best policy, if its score is as high.
        """
        with self._saving("checkpoint", checkpoint):
            if self.metrics_csv.exists():
                sync_file(self.metrics_csv)  # a run that resumes from here has all rows that could be written
            if may_be_best:
                # Before the checkpoint: a run that is killed in between resumes earlier and finds it again.
                save_if_best(self.checkpoints, checkpoint)
            path = save_checkpoint(self.checkpoints, checkpoint, keep)
        return CheckpointSaved(checkpoint.counters.steps, checkpoint.score, is_best=is_best(path))

    def save_if_best(self, checkpoint: Checkpoint) -> None:
        """Let the policy of `checkpoint` replace the best policy, if its score is as high. Raises as `save` does."""
        with self._saving("best policy", checkpoint):
            save_if_best(self.checkpoints, checkpoint)

    def save_milestone(self, milestone: Checkpoint) -> None:
        """Write the policy of `milestone`, which is kept for good. Raises as `save` does."""
        with self._saving("milestone", milestone):
            save_milestone(self.checkpoints, milestone)

    @contextlib.contextmanager
    def _saving(self, what: str, checkpoint: Checkpoint) -> Iterator[None]:
        """Raises RunDirectoryError if the directory is no longer there, and for an OSError in the block."""
        try:
            if self._lock is None or not self._lock.is_at(self.path):
                raise RunDirectoryError(
                    f"{self.path} was moved or deleted during training; nothing after its last checkpoint is saved"
                )
            yield
        except OSError as error:
            raise RunDirectoryError(
                f"the {what} at step {checkpoint.counters.steps:,} cannot be written: {reason(error)}; "
                f"earlier checkpoints in {self.checkpoints} are unchanged"
            ) from error

    def latest(self, config: RunConfig, warn: Warn) -> Checkpoint | None:
        """The newest valid checkpoint for a run with `config`; None if the run has none yet.

        Warns of each damaged checkpoint that is skipped, and of a run that died before its first checkpoint.
        Raises CheckpointError if all are damaged or another version of paac wrote one, RunDirectoryError if a setting
        that affects learning differs, and TrustError if a checkpoint references code that `config` does not.
        """
        list_paths = partial(list_checkpoints, self.checkpoints)
        self._require_comparable_policies()
        for _, checkpoint in load_newest(list_paths, partial(load_checkpoint, trusted=code_names(config)), warn):
            self._require_same(checkpoint.config, config)
            return checkpoint
        if list_paths():
            raise CheckpointError(f"no checkpoint in {self.checkpoints} is valid; --fresh starts over")
        if self.is_run:
            warn(f"the run in {self.path} has no checkpoint yet; it starts over")
        return None

    def _require_comparable_policies(self) -> None:
        """Raise CheckpointError now if the best policy so far cannot be compared with later ones."""
        for path in list_policies(self.checkpoints):
            try:
                read_manifest(path)
            except UnreadableCheckpointError:
                raise
            except CheckpointError:
                continue  # it is damaged, so the next policy replaces it

    def _require_same(self, old: RunConfig, new: RunConfig) -> None:
        """Raises RunDirectoryError if a run with config `old` cannot continue with config `new`."""
        changed = changed_settings(old, new)
        if changed:
            lines = "\n".join(f"  {key}: {before!r} in the run, {now!r} now" for key, (before, now) in changed.items())
            raise RunDirectoryError(
                f"{self.path} holds a run with another config:\n{lines}\n{_OTHER_RUN}. To begin another run with the "
                f"policy of this one: --init-from {shell_quoted(str(self.path))} --run-dir OTHER"
            )

    def _rename_old_run(self) -> None:
        number, path = 1, self.path.resolve()
        while (old := path.with_name(f"{path.name}.old-{number}")).exists():
            number += 1
        path.rename(old)
        self._release()

    def _record_end(self, status: Status, failure: str = "") -> None:
        """Record how the session that `create` has begun has ended; only the first call does. Ignores a full disk."""
        if self._record is None:
            return
        record, self._record = self._record, None
        with contextlib.suppress(OSError):
            if self._lock is not None and self._lock.is_at(self.path):
                write_record(self.path, record.model_copy(update={"status": status, "reason": failure}))

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
