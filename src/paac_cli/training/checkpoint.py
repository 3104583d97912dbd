"""Checkpoints: directories of plain arrays and a manifest of their sums.

    step_000250000/
        manifest.json            format, config, counters, score, versions, SHA-256 of every file
        policy.safetensors       weights and statistics: all that playing takes
        learner.safetensors      optimiser slots, counters, experience: what learning needs beside it
        sampling.safetensors     the environments' histories, which are their state
        progress.safetensors     scores and lengths of the latest games
    best_000200000/
        manifest.json
        policy.safetensors

A run goes on from a `step_`; the best policy so far is kept by itself, because it is only played.

Written beside, synced, and renamed into place: a checkpoint is whole or it is not there. Nothing in
it is code, and reading it runs none.
"""

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from paac_cli.config.load import load_config
from paac_cli.config.schema import RunConfig
from paac_cli.errors import CheckpointError, ConfigError
from paac_cli.training.arrays import Arrays, read_arrays, write_arrays, write_synced

FORMAT = 1
MANIFEST = "manifest.json"
_POLICY = "policy"
_PARTS = (_POLICY, "learner", "sampling", "progress")
_MAX_MANIFEST_BYTES = 1_000_000
_PARTIAL = ".partial-"


class Counters(BaseModel):
    """Where a run stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = 0  #: agent steps, summed over environments
    updates: int = 0
    episodes: int = 0  #: finished games
    seconds: float = 0.0  #: of training, over all sittings


class Manifest(BaseModel):
    """What `manifest.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    counters: Counters
    score: float | None  #: mean raw return of the latest games, once there are enough of them
    config: dict[str, Any]
    versions: dict[str, str]  #: of what made it, and what else its bits depend on; see `exactness.py`
    files: dict[str, str]  #: name -> SHA-256


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

    If its policy is the best so far, that is kept by itself as well. Deletes all but the `keep` newest, and
    what an interrupted save left. Raises OSError.
    """
    best = list_policies(directory)
    if not best or _rank(checkpoint.score) >= _score_of(best[0]):
        # Comes first: a run that is killed in between goes on from before, and comes to the same best again.
        _write(directory, f"best_{checkpoint.counters.steps:09d}", checkpoint, (_POLICY,))
    path = _write(directory, f"step_{checkpoint.counters.steps:09d}", checkpoint, _PARTS)
    for old in [*list_policies(directory)[1:], *list_checkpoints(directory)[keep:], *directory.glob(f"{_PARTIAL}*")]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def load_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in directory `path`, all sums checked. Raises CheckpointError, which names what is wrong."""
    manifest, config = _read_head(path)
    parts = {part: _read_arrays(path, part, manifest) for part in _PARTS}
    return Checkpoint(config, manifest.counters, manifest.score, **parts, versions=manifest.versions)


def load_policy(path: Path) -> TrainedPolicy:
    """Only what playing takes, of a checkpoint or of a best policy. Raises CheckpointError."""
    manifest, config = _read_head(path)
    return TrainedPolicy(config, manifest.counters, manifest.score, _read_arrays(path, _POLICY, manifest))


def list_checkpoints(directory: Path) -> list[Path]:
    """The checkpoints in `directory`, newest first."""
    return _list(directory, "step_*")


def list_policies(directory: Path) -> list[Path]:
    """The best policies in `directory`, newest first, which is best first; there is one unless a save was cut off."""
    return _list(directory, "best_*")


def _list(directory: Path, pattern: str) -> list[Path]:
    found = (path for path in directory.glob(pattern) if path.is_dir())
    return sorted(found, key=lambda path: (len(path.name), path.name), reverse=True)


def _rank(score: float | None) -> float:
    return -math.inf if score is None else score


def _score_of(path: Path) -> float:
    try:
        return _rank(read_manifest(path).score)
    except CheckpointError:
        return -math.inf


def _write(directory: Path, name: str, checkpoint: Checkpoint, parts: Sequence[str]) -> Path:
    partial, final = directory / f"{_PARTIAL}{name}", directory / name
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    sums = {_file(part): write_arrays(partial / _file(part), getattr(checkpoint, part)) for part in parts}
    manifest = Manifest(
        format=FORMAT,
        counters=checkpoint.counters,
        score=checkpoint.score,
        config=checkpoint.config.model_dump(mode="json"),
        versions=dict(checkpoint.versions),
        files=sums,
    )
    write_synced(partial / MANIFEST, [manifest.model_dump_json(indent=2).encode()])
    _sync_directory(partial)
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    _sync_directory(directory)
    return final


def _read_head(path: Path) -> tuple[Manifest, RunConfig]:
    manifest = read_manifest(path)
    try:
        return manifest, load_config(manifest.config, f"{path / MANIFEST}: config")
    except ConfigError as error:
        raise CheckpointError(f"{path} is damaged or foreign: {error}") from error


def read_manifest(path: Path) -> Manifest:
    """The manifest of the checkpoint in directory `path`. Raises CheckpointError."""
    try:
        if (path / MANIFEST).stat().st_size > _MAX_MANIFEST_BYTES:
            raise CheckpointError(f"{path} is damaged: {MANIFEST} is larger than any of ours")
        manifest = Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path} is no readable checkpoint: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(f"{path} is damaged or foreign: {MANIFEST}: {place} {first['msg']}") from error
    if manifest.format != FORMAT:
        raise CheckpointError(f"{path} has format {manifest.format}; this version of paac reads format {FORMAT}")
    return manifest


def _file(part: str) -> str:
    return f"{part}.safetensors"


def _read_arrays(path: Path, part: str, manifest: Manifest) -> Arrays:
    file = _file(part)
    if file not in manifest.files:
        raise CheckpointError(f"{path} has no {file}: it can be played, but a run cannot go on from it")
    try:
        return read_arrays(path / file, manifest.files[file])
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
