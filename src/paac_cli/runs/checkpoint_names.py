"""The names of checkpoints in their directory: which there are, in which order, and how they are deleted.

`step_<steps>` is a checkpoint, `best_<steps>` the best policy, `milestone_<steps>` the policy of a milestone. What is
just being written or deleted begins with `PARTIAL`, and what is just being replaced ends with `REPLACED`.
"""

import contextlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from paac_cli.errors import CheckpointError
from paac_cli.files import sync_directory
from paac_cli.text import reason

PARTIAL = ".partial-"
REPLACED = ".replaced"
_NAME = re.compile(rf"(step|best|milestone)_([0-9]{{9,18}})({re.escape(REPLACED)})?")


def list_checkpoints(directory: Path) -> list[Path]:
    """The checkpoints in `directory`, newest first. Raises CheckpointError if it cannot be listed."""
    return _list(directory, "step")


def list_policies(directory: Path) -> list[Path]:
    """The best policies in `directory`, newest (and best) first. There is more than one only if a save was interrupted.

    Raises CheckpointError if it cannot be listed.
    """
    return _list(directory, "best")


def list_milestones(directory: Path) -> list[Path]:
    """The policies of milestones in `directory`, newest first. Raises CheckpointError if it cannot be listed."""
    return _list(directory, "milestone")


def _list(directory: Path, kind: str) -> list[Path]:
    found = [path for path in named(directory) if path.name.startswith(kind) and path.is_dir()]
    return sorted(found, key=order, reverse=True)


def named(directory: Path) -> list[Path]:
    """Every entry with the name of a checkpoint."""
    try:
        return [path for path in directory.iterdir() if _NAME.fullmatch(path.name)]
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not directory.exists():
            return []
        # With an empty list the run would start over.
        raise CheckpointError(f"{directory} cannot be listed: {reason(error, directory)}") from error


def order(path: Path) -> tuple[int, bool]:
    """Sort key within one kind: steps; a checkpoint that was being replaced comes before its replacement."""
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[2]), match[3] is None


def _successor(replaced: Path) -> Path:
    """The path of the checkpoint that replaced the one at `replaced`."""
    return replaced.with_name(replaced.name.removesuffix(REPLACED))


def is_best(checkpoint: Path) -> bool:
    """Whether the best policy is that of the `checkpoint`; False if that cannot be found out."""
    with contextlib.suppress(OSError):
        return checkpoint.with_name(checkpoint.name.replace("step_", "best_")).exists()
    return False


def delete_replaced(directory: Path) -> None:
    """`delete` the checkpoints whose replacement is complete."""
    delete(directory, [old for old in named(directory) if old.name.endswith(REPLACED) and _successor(old).exists()])


def delete(directory: Path, checkpoints: Sequence[Path]) -> None:
    """Delete `checkpoints` and the remains of interrupted saves. What cannot be deleted stays until the next save.

    Each is renamed first, and the rename synced: a half-deleted checkpoint must not look like a damaged one.
    """
    with contextlib.suppress(OSError):
        for path in checkpoints:
            path.rename(directory / f"{PARTIAL}old-{path.name}")
        if checkpoints:
            sync_directory(directory)
        for path in sorted(directory.iterdir()):
            if not path.name.startswith(PARTIAL):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
