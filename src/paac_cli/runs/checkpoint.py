"""Checkpoints: directories of plain arrays and a manifest with their checksums.

    step_000250000/
        manifest.json            format, config, counters, score, runtime, SHA-256 of every file
        manifest.sha256          SHA-256 of the manifest
        policy.safetensors       weights and observation statistics: everything that playing needs
        learner.safetensors      optimiser slots, counters, replay buffer: everything else that learning needs
        sampling.safetensors     the histories of the environments, from which they are replayed
        progress.safetensors     scores and lengths of the latest games, metrics of the latest update
    best_000200000/
        manifest.json
        manifest.sha256
        policy.safetensors
    milestone_000002500/         the same files

A run resumes from a `step_` directory. The best policy so far, and those of milestones, are kept without the other
parts, because they are only played.

A checkpoint is written under a temporary name, synced and renamed, so that it is either complete or absent. It contains
no code, and reading it executes none.
"""

import contextlib
import math
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paac_cli.config.load import load_config
from paac_cli.config.schema import RunConfig
from paac_cli.errors import CheckpointError, ConfigError, UnreadableCheckpointError
from paac_cli.files import make_directory, sync_directory
from paac_cli.runs.arrays import Arrays, array_pieces, arrays_from_bytes, read_arrays, write_arrays
from paac_cli.runs.checkpoint_names import (
    PARTIAL,
    REPLACED,
    delete,
    delete_replaced,
    list_checkpoints,
    list_milestones,
    list_policies,
    named,
    order,
)
from paac_cli.runs.manifest import MANIFEST, Counters, Manifest, read_manifest, reading_failed, write_manifest
from paac_cli.runs.runtime import Runtime
from paac_cli.timestep import INFO

_POLICY = "policy"
PARTS = (_POLICY, "learner", "sampling", "progress")  #: of a checkpoint, one file of arrays each


class TrainedPolicy(NamedTuple):
    """Everything that is needed to play with a policy as of one step."""

    config: RunConfig
    counters: Counters
    score: float | None  #: as in the manifest
    policy: Arrays


class PolicyArrays(NamedTuple):
    """The arrays of a policy, and the config that they belong to as plain data."""

    arrays: Arrays
    sha256: str  #: of their file
    config: Mapping[str, Any]  #: not validated


class Checkpoint(NamedTuple):
    """Everything that is needed to resume a run.

    Milestones and evaluated policies have no `learner`, `sampling` and `progress`: no run resumes from them.
    """

    config: RunConfig
    counters: Counters
    score: float | None  #: as in the manifest
    policy: Arrays
    learner: Arrays
    sampling: Arrays
    progress: Arrays
    runtime: Runtime  #: of the session that saved it
    approximate: tuple[str, ...] = ()  #: why the run is not bit-for-bit reproducible; empty if it is
    is_evaluated: bool = False  #: as in the manifest
    evaluation_due: bool = False  #: as in the manifest

    @property
    def last_row(self) -> int:
        """The last step at which a row of metrics may have been written: an evaluation that is due comes before it."""
        return self.counters.steps - self.evaluation_due


def save_checkpoint(directory: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write `checkpoint` as a new directory in `directory`; returns its path.

    Deletes all but the latest `keep` checkpoints, and the remains of interrupted saves, but no best policy. Raises
    OSError if the checkpoint cannot be written; earlier checkpoints are then unchanged.
    """
    make_directory(directory)
    delete_replaced(directory)
    path = _write(directory, f"step_{checkpoint.counters.steps:09d}", checkpoint, PARTS)
    # Checkpoints with more steps are damaged, or this run would have resumed from them.
    older = [old for old in list_checkpoints(directory) if order(old)[0] < checkpoint.counters.steps]
    kept = {path, *older[: keep - 1], *list_policies(directory), *list_milestones(directory)}
    delete(directory, [old for old in named(directory) if old not in kept])
    return path


def save_milestone(directory: Path, milestone: Checkpoint) -> Path:
    """Write the policy of `milestone` as a new directory in `directory`, which no later save deletes; returns its path.

    One with the same number of steps is replaced: a run that resumes from before it writes it again. Raises OSError.
    """
    make_directory(directory)
    delete_replaced(directory)
    path = _write(directory, f"milestone_{milestone.counters.steps:09d}", milestone, (_POLICY,))
    delete_replaced(directory)
    return path


def save_if_best(directory: Path, checkpoint: Checkpoint) -> None:
    """Let the policy of `checkpoint` replace the best policy in `directory`, if its score is at least as high.

    Scores of evaluations and mean returns of training are not compared: the newer one wins. Raises OSError.
    """
    make_directory(directory)
    delete_replaced(directory)
    others = list_policies(directory)
    if not others or _is_better(checkpoint, others[0]):
        best = _write(directory, f"best_{checkpoint.counters.steps:09d}", checkpoint, (_POLICY,))
        delete(directory, [old for old in others if old != best])
        delete_replaced(directory)


def load_checkpoint(path: Path, trusted: Container[str] = ()) -> Checkpoint:
    """The checkpoint in directory `path`, all checksums verified.

    Raises CheckpointError, which names the fault, and TrustError if its config references code that is not `trusted`.
    """
    manifest, config = _read_head(path, trusted)
    parts = {part: _read_arrays(path, part, manifest) for part in PARTS}
    checkpoint = _checkpoint(manifest, config, parts)
    if not _is_consistent(checkpoint):
        raise CheckpointError(
            f"{path} is damaged or not a checkpoint of paac: its arrays do not match its config or each other"
        )
    return checkpoint


def load_policy(path: Path, trusted: Container[str] = ()) -> TrainedPolicy:
    """Only what playing needs, from a checkpoint or a best policy. Raises as `load_checkpoint` does."""
    manifest, config = _read_head(path, trusted)
    return TrainedPolicy(config, manifest.counters, manifest.score, _read_arrays(path, _POLICY, manifest))


def load_policy_arrays(path: Path) -> PolicyArrays:
    """The arrays of a checkpoint or a best policy. Its config is not validated. Raises CheckpointError."""
    manifest = read_manifest(path)
    return PolicyArrays(_read_arrays(path, _POLICY, manifest), manifest.files["policy.safetensors"], manifest.config)


def to_messages(checkpoint: Checkpoint) -> list[bytes]:
    """The checkpoint as a fixed number of messages to another process, which `from_messages` reads."""
    parts = [b"".join(array_pieces(getattr(checkpoint, part))) for part in PARTS]
    return [_manifest(checkpoint, {}).model_dump_json().encode(), *parts]


def from_messages(messages: Sequence[bytes], trusted: Container[str]) -> Checkpoint:
    """The checkpoint that `to_messages` made into `messages`. trusted: as for `load_checkpoint`."""
    head, *parts = messages
    manifest = Manifest.model_validate_json(head)
    config = load_config(manifest.config, "the checkpoint of rank 0", trusted=trusted)
    arrays = {part: arrays_from_bytes(data) for part, data in zip(PARTS, parts, strict=True)}
    return _checkpoint(manifest, config, arrays)


def _rank(score: float | None) -> float:
    return -math.inf if score is None else score


def _is_better(checkpoint: Checkpoint, best: Path) -> bool:
    """Whether the policy of `checkpoint` should replace the one at `best`, as it should if that one is damaged."""
    try:
        manifest = read_manifest(best)
        _read_arrays(best, _POLICY, manifest)
    except UnreadableCheckpointError:
        raise
    except CheckpointError:
        return True
    if checkpoint.is_evaluated != manifest.is_evaluated:
        return checkpoint.score is not None
    return _rank(checkpoint.score) >= _rank(manifest.score)


def _write(directory: Path, name: str, checkpoint: Checkpoint, parts: Sequence[str]) -> Path:
    partial, final = directory / f"{PARTIAL}{name}", directory / name
    try:
        partial.mkdir()
        checksums = {_file(part): write_arrays(partial / _file(part), getattr(checkpoint, part)) for part in parts}
        write_manifest(partial, _manifest(checkpoint, checksums))
        sync_directory(partial)
        with contextlib.suppress(FileNotFoundError):  # the old one stays readable until the new one is there
            final.rename(final.with_name(final.name + REPLACED))
        partial.rename(final)
    except OSError:
        delete(directory, [])  # free the space on a full disk
        raise
    sync_directory(directory)
    return final


def _manifest(checkpoint: Checkpoint, checksums: dict[str, str]) -> Manifest:
    return Manifest.model_validate(
        {
            "counters": checkpoint.counters,
            "score": checkpoint.score,
            "is_evaluated": checkpoint.is_evaluated,
            "evaluation_due": checkpoint.evaluation_due,
            "config": checkpoint.config.model_dump(mode="json"),
            "runtime": checkpoint.runtime,
            "approximate": checkpoint.approximate,
            "files": checksums,
        }
    )


def _checkpoint(manifest: Manifest, config: RunConfig, parts: dict[str, Arrays]) -> Checkpoint:
    return Checkpoint(
        config,
        manifest.counters,
        manifest.score,
        **parts,
        runtime=manifest.runtime,
        approximate=manifest.approximate,
        is_evaluated=manifest.is_evaluated,
        evaluation_due=manifest.evaluation_due,
    )


def _read_head(path: Path, trusted: Container[str]) -> tuple[Manifest, RunConfig]:
    manifest = read_manifest(path)
    try:
        return manifest, load_config(manifest.config, f"{path / MANIFEST}: config", trusted=trusted)
    except ConfigError as error:  # the checksum is right: another version wrote it, or code that it names is missing
        raise UnreadableCheckpointError(
            f"{path} cannot be read, e.g. because another version of paac wrote it: {error}"
        ) from error
    except RecursionError as error:  # nested deeper than any config
        raise CheckpointError(f"{path} is damaged or not a checkpoint of paac: {error}") from error


def _file(part: str) -> str:
    return f"{part}.safetensors"


def _is_consistent(checkpoint: Checkpoint) -> bool:
    """Whether the arrays of histories and of the latest games fit each other and the number of environments.

    The agent and the pool check the other arrays when they restore them.
    """
    num_envs, missing = (checkpoint.config.sampling.num_envs,), np.empty(())
    scores, lengths = (checkpoint.progress.get(name, missing) for name in ("scores", "lengths"))
    episode, length = (checkpoint.sampling.get(name, missing) for name in ("episode", "length"))
    actions = checkpoint.sampling.get("actions", missing)
    per_game = [array for name, array in checkpoint.progress.items() if name.startswith(INFO)]
    metrics = [
        array
        for name, array in checkpoint.progress.items()
        if name not in ("scores", "lengths") and not name.startswith(INFO)
    ]
    return (
        scores.dtype == np.float64
        and all(array.dtype == np.int64 for array in (lengths, episode, length))
        and all(array.shape == () and array.dtype == np.float64 for array in metrics)
        and scores.ndim == 1
        and scores.shape == lengths.shape
        and all(array.dtype == np.float64 and array.shape == scores.shape for array in per_game)
        and episode.shape == length.shape == num_envs
        and min(episode.min(), length.min()) >= 0
        and actions.shape[:1] == (sum(length.tolist()),)
    )


def _read_arrays(path: Path, part: str, manifest: Manifest) -> Arrays:
    file = _file(part)
    if file not in manifest.files:
        raise CheckpointError(f"{path} has no {file}, so a run cannot resume from it")
    try:
        return read_arrays(path / file, manifest.files[file])
    except OSError as error:
        raise reading_failed(path, error) from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
