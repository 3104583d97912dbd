"""Checkpoints: directories of plain arrays and a manifest of their sums.

    step_000250000/
        manifest.json            format, config, counters, score, versions, SHA-256 of every file
        manifest.sha256          its own
        policy.safetensors       weights and statistics: all that playing takes
        learner.safetensors      optimiser slots, counters, experience: what learning needs beside it
        sampling.safetensors     the environments' histories, which are their state
        progress.safetensors     scores and lengths of the latest games, metrics of the latest update
    best_000200000/
        manifest.json
        manifest.sha256
        policy.safetensors

A run goes on from a `step_`; the best policy so far is kept by itself, because it is only played.

Written beside, synced, and renamed into place: a checkpoint is whole or it is not there. Nothing in
it is code, and reading it runs none.
"""

import contextlib
import math
import re
import shutil
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from paac_cli.config.load import load_config
from paac_cli.config.schema import RunConfig
from paac_cli.errors import CheckpointError, ConfigError
from paac_cli.files import make_directory, sync_directory
from paac_cli.runs.arrays import Arrays, read_arrays, write_arrays
from paac_cli.runs.manifest import MANIFEST, Counters, Manifest, read_manifest, write_manifest

_POLICY = "policy"
PARTS = (_POLICY, "learner", "sampling", "progress")  #: of a checkpoint, each a file of arrays
_PARTIAL = ".partial-"
_REPLACED = ".replaced"


class TrainedPolicy(NamedTuple):
    """All that it takes to play as well as the agent did."""

    config: RunConfig
    counters: Counters
    score: float | None  #: as in the manifest
    policy: Arrays


class Checkpoint(NamedTuple):
    """All that a run needs to go on."""

    config: RunConfig
    counters: Counters
    score: float | None  #: as in the manifest
    policy: Arrays
    learner: Arrays
    sampling: Arrays
    progress: Arrays
    versions: Mapping[str, str] = MappingProxyType({})  #: of what made it, as in the manifest


def save_checkpoint(directory: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write `checkpoint` as a new directory in `directory`; returns its path.

    If its policy is the best so far, that is kept by itself as well. Deletes all but this and the `keep` - 1
    before it, and what an interrupted save left. Raises OSError, and then all that stood there before still does.
    """
    make_directory(directory)
    _remove(directory, [old for old in _named(directory) if old.name.endswith(_REPLACED) and _new(old).exists()])
    best = next(iter(list_policies(directory)), None)
    if best is None or _rank(checkpoint.score) >= _score_of(best):
        # Comes first: a run that is killed in between goes on from before, and comes to the same best again.
        best = _write(directory, f"best_{checkpoint.counters.steps:09d}", checkpoint, (_POLICY,))
    path = _write(directory, f"step_{checkpoint.counters.steps:09d}", checkpoint, PARTS)
    # Later ones are damaged, or this run would have gone on from them.
    before = [old for old in list_checkpoints(directory) if _place(old)[0] < checkpoint.counters.steps]
    kept = {best, path, *before[: keep - 1]}
    _remove(directory, [old for old in _named(directory) if old not in kept])
    return path


def load_checkpoint(path: Path, trusted: Container[str] = ()) -> Checkpoint:
    """The checkpoint in directory `path`, all sums checked.

    Raises CheckpointError, which names what is wrong, and TrustError if it names code that is not `trusted`.
    """
    manifest, config = _read_head(path, trusted)
    parts = {part: _read_arrays(path, part, manifest) for part in PARTS}
    checkpoint = Checkpoint(config, manifest.counters, manifest.score, **parts, versions=manifest.versions)
    if not _is_consistent(checkpoint):
        raise CheckpointError(f"{path} is damaged or foreign: its arrays do not fit its config, or each other")
    return checkpoint


def load_policy(path: Path, trusted: Container[str] = ()) -> TrainedPolicy:
    """Only what playing takes, of a checkpoint or of a best policy. Raises as `load_checkpoint`."""
    manifest, config = _read_head(path, trusted)
    return TrainedPolicy(config, manifest.counters, manifest.score, _read_arrays(path, _POLICY, manifest))


def list_checkpoints(directory: Path) -> list[Path]:
    """The checkpoints in `directory`, newest first. Raises CheckpointError where it cannot be looked into."""
    return _list(directory, "step")


def list_policies(directory: Path) -> list[Path]:
    """The best policies in `directory`, newest first, which is best first; there is one unless a save was cut off.

    Raises CheckpointError where it cannot be looked into.
    """
    return _list(directory, "best")


def _list(directory: Path, kind: str) -> list[Path]:
    found = [path for path in _named(directory) if path.name.startswith(kind) and path.is_dir()]
    return sorted(found, key=_place, reverse=True)


_NAME = re.compile(rf"(step|best)_([0-9]{{9,18}})({re.escape(_REPLACED)})?")


def _named(directory: Path) -> list[Path]:
    """Whatever has the name of a checkpoint."""
    try:
        return [path for path in directory.iterdir() if _NAME.fullmatch(path.name)]
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not directory.exists():
            return []
        # Not as if there were none: a run would start over.
        raise CheckpointError(f"{directory} cannot be looked into: {error}") from error


def _place(path: Path) -> tuple[int, bool]:
    """By what checkpoints of one kind are sorted: their steps, and one that was being replaced before the new."""
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[2]), match[3] is None


def _new(replaced: Path) -> Path:
    """What was to stand in its place."""
    return replaced.with_name(replaced.name.removesuffix(_REPLACED))


def _rank(score: float | None) -> float:
    return -math.inf if score is None else score


def _score_of(path: Path) -> float:
    """Of a policy that can be read; one that cannot is worse than any."""
    try:
        manifest = read_manifest(path)
        _read_arrays(path, _POLICY, manifest)
    except CheckpointError:
        return -math.inf
    return _rank(manifest.score)


def _write(directory: Path, name: str, checkpoint: Checkpoint, parts: Sequence[str]) -> Path:
    partial, final = directory / f"{_PARTIAL}{name}", directory / name
    try:
        partial.mkdir()
        sums = {_file(part): write_arrays(partial / _file(part), getattr(checkpoint, part)) for part in parts}
        write_manifest(partial, _manifest(checkpoint, sums))
        sync_directory(partial)
        with contextlib.suppress(FileNotFoundError):  # what stands there is found until the new one is
            final.rename(final.with_name(final.name + _REPLACED))
        partial.rename(final)
    except OSError:
        _remove(directory, [])  # on a full disk, others need the room
        raise
    sync_directory(directory)
    return final


def _remove(directory: Path, checkpoints: Sequence[Path]) -> None:
    """Remove `checkpoints`, and what is left of others. What will not go stays, for the next time.

    They lose their names first, and for good: half of one must not look as if it were damaged.
    """
    with contextlib.suppress(OSError):
        for path in checkpoints:
            path.rename(directory / f"{_PARTIAL}old-{path.name}")
        if checkpoints:
            sync_directory(directory)
        for path in sorted(directory.iterdir()):
            if not path.name.startswith(_PARTIAL):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _manifest(checkpoint: Checkpoint, sums: dict[str, str]) -> Manifest:
    return Manifest.model_validate(
        {
            "counters": checkpoint.counters,
            "score": checkpoint.score,
            "config": checkpoint.config.model_dump(mode="json"),
            "versions": dict(checkpoint.versions),
            "files": sums,
        }
    )


def _read_head(path: Path, trusted: Container[str]) -> tuple[Manifest, RunConfig]:
    manifest = read_manifest(path)
    try:
        return manifest, load_config(manifest.config, f"{path / MANIFEST}: config", trusted=trusted)
    except (ConfigError, RecursionError) as error:  # the latter: nested as no config of ours is
        raise CheckpointError(f"{path} is damaged or foreign: {error}") from error


def _file(part: str) -> str:
    return f"{part}.safetensors"


def _is_consistent(checkpoint: Checkpoint) -> bool:
    """Whether all is there that the histories of the environments and the latest games say of themselves.

    Policy and learner are for their algorithm to judge, and actions for the environments.
    """
    num_envs, no_array = (checkpoint.config.sampling.num_envs,), np.empty(())
    scores, lengths = (checkpoint.progress.get(name, no_array) for name in ("scores", "lengths"))
    episode, played = (checkpoint.sampling.get(name, no_array) for name in ("episode", "length"))
    actions = checkpoint.sampling.get("actions", no_array)
    return (
        scores.dtype == np.float64
        and all(array.dtype == np.int64 for array in (lengths, episode, played))
        and scores.ndim == 1
        and scores.shape == lengths.shape
        and episode.shape == played.shape == num_envs
        and min(episode.min(), played.min()) >= 0
        and actions.shape[:1] == (sum(played.tolist()),)
    )


def _read_arrays(path: Path, part: str, manifest: Manifest) -> Arrays:
    file = _file(part)
    if file not in manifest.files:
        raise CheckpointError(f"{path} has no {file}: it can be played, but a run cannot go on from it")
    try:
        return read_arrays(path / file, manifest.files[file])
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
