"""`manifest.json`: what a checkpoint is, with the sums of its other files; and `manifest.sha256`, its own sum.

A flipped bit in a counter or a score would go unseen without the latter. It is of the form that `sha256sum -c`
reads. Format 1 had none, and is still read.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeFloat, NonNegativeInt, ValidationError

from paac_cli.errors import CheckpointError
from paac_cli.files import open_regular, write_synced
from paac_cli.runs.arrays import all_different

MANIFEST, SUM = "manifest.json", "manifest.sha256"

_FORMAT = 2
_READABLE = (1, 2)
_MAX_BYTES = 1_000_000


class Counters(BaseModel):
    """Where a run stands."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    steps: NonNegativeInt = 0  #: agent steps, summed over environments
    updates: NonNegativeInt = 0
    episodes: NonNegativeInt = 0  #: finished games
    seconds: NonNegativeFloat = 0.0  #: of training, over all sittings


_File = Literal["policy.safetensors", "learner.safetensors", "sampling.safetensors", "progress.safetensors"]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What `manifest.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    format: int = _FORMAT
    counters: Counters
    score: FiniteFloat | None  #: mean raw return of the latest games, once there are enough of them
    config: dict[str, Any]
    versions: dict[str, str]  #: of what made it, and what else its bits depend on; see `exactness.py`
    files: dict[_File, _Sha256]


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest` and its sum to `directory`, synced. Raises OSError."""
    sha256 = write_synced(directory / MANIFEST, [manifest.model_dump_json(indent=2).encode()])
    write_synced(directory / SUM, [_sum_line(sha256)])


def read_manifest(directory: Path) -> Manifest:
    """The manifest of the checkpoint in `directory`. Raises CheckpointError."""
    try:
        text = _read(directory / MANIFEST)
        manifest = Manifest.model_validate(json.loads(text, object_pairs_hook=all_different))
        if manifest.format not in _READABLE:
            raise CheckpointError(
                f"{directory} has format {manifest.format}; this version of paac reads {_READABLE[0]} to {_FORMAT}"
            )
        has_sum = manifest.format > 1 or (directory / SUM).exists()
        if has_sum and _read(directory / SUM) != _sum_line(hashlib.sha256(text).hexdigest()):
            raise CheckpointError(f"{directory} is damaged: {MANIFEST} does not match {SUM}")
    except OSError as error:
        raise CheckpointError(f"{directory} is no readable checkpoint: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(f"{directory} is damaged or foreign: {MANIFEST}: {place} {first['msg']}") from error
    except (ValueError, RecursionError) as error:  # no JSON, or one that is meant to hurt
        raise CheckpointError(f"{directory} is damaged or foreign: {MANIFEST}: {error}") from error
    return manifest


def _sum_line(sha256: str) -> bytes:
    return f"{sha256}  {MANIFEST}\n".encode()


def _read(path: Path) -> bytes:
    with open_regular(path) as file:
        text = file.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        raise ValueError("larger than any of ours")
    return text
