"""Checkpoints: directories of plain arrays and a manifest of their sums.

    step_000250000/
        manifest.json            format, config, counters, score, versions, SHA-256 of every file
        agent.safetensors        weights, optimiser slots, counters of the algorithm
        sampling.safetensors     the environments' histories, which are their state
        progress.safetensors     scores and lengths of the latest games

Written beside, synced, and renamed into place: a checkpoint is whole or it is not there. Nothing in
it is code, and reading it runs none.
"""

import hashlib
import math
import os
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from paac_cli import __version__
from paac_cli.config.load import load_config
from paac_cli.config.schema import RunConfig
from paac_cli.errors import CheckpointError, ConfigError

FORMAT = 1
MANIFEST = "manifest.json"
_PARTS = ("agent", "sampling", "progress")
_MAX_MANIFEST_BYTES = 1_000_000
_PARTIAL = ".partial-"

Arrays = dict[str, NDArray]


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
    versions: dict[str, str]
    files: dict[str, str]  #: name -> SHA-256


class Checkpoint(NamedTuple):
    """All that a run needs to go on, or an agent to be evaluated."""

    config: RunConfig
    counters: Counters
    score: float | None  #: as in the manifest
    agent: Arrays
    sampling: Arrays
    progress: Arrays


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> Path:
    """Write `checkpoint` as a new directory in `directory`; returns its path. Raises OSError."""
    name = f"step_{checkpoint.counters.steps:09d}"
    partial, final = directory / f"{_PARTIAL}{name}", directory / name
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    files = {f"{part}.safetensors": save_arrays(getattr(checkpoint, part)) for part in _PARTS}
    manifest = Manifest(
        format=FORMAT,
        counters=checkpoint.counters,
        score=checkpoint.score,
        config=checkpoint.config.model_dump(mode="json"),
        versions={
            "paac": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("tensorflow", "numpy", "gymnasium", "ale-py")},
        },
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    )
    for file, data in (files | {MANIFEST: manifest.model_dump_json(indent=2).encode()}).items():
        _write_synced(partial / file, data)
    _sync_directory(partial)
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    _sync_directory(directory)
    return final


def load_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in directory `path`, all sums checked. Raises CheckpointError, which names what is wrong."""
    manifest = read_manifest(path)
    try:
        config = load_config(manifest.config, f"{path / MANIFEST}: config")
    except ConfigError as error:
        raise CheckpointError(f"{path} is damaged or foreign: {error}") from error
    arrays = {part: _read_arrays(path / f"{part}.safetensors", manifest.files) for part in _PARTS}
    return Checkpoint(config, manifest.counters, manifest.score, **arrays)


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


def list_checkpoints(directory: Path) -> list[Path]:
    """The checkpoints in `directory`, oldest first."""
    return sorted(
        (path for path in directory.glob("step_*") if path.is_dir()), key=lambda path: (len(path.name), path.name)
    )


def rank_checkpoints(directory: Path) -> list[Path]:
    """The checkpoints in `directory`, the best score first; among equals, and without scores, the newest.

    One whose manifest cannot be read has no score.
    """

    def score(path: Path) -> float:
        try:
            found = read_manifest(path).score
        except CheckpointError:
            return -math.inf
        return -math.inf if found is None else found

    return sorted(reversed(list_checkpoints(directory)), key=score, reverse=True)


def prune_checkpoints(directory: Path, keep: int) -> None:
    """Delete all but the `keep` newest and the best, and what an interrupted save left."""
    kept = {*list_checkpoints(directory)[-keep:], *rank_checkpoints(directory)[:1]}
    for path in [*list_checkpoints(directory), *directory.glob(f"{_PARTIAL}*")]:
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _read_arrays(path: Path, sums: Mapping[str, str]) -> Arrays:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path.parent} is damaged: {error}") from error
    if hashlib.sha256(data).hexdigest() != sums.get(path.name):
        raise CheckpointError(f"{path.parent} is damaged: {path.name} does not match its SHA-256")
    try:
        return load_arrays(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path.parent} is damaged: {path.name}: {error}") from error


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
