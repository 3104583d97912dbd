"""`manifest.json`, which describes a checkpoint, and `manifest.sha256`, its checksum.

The manifest holds the checksums of all other files. Its own checksum, in the form that `sha256sum -c` reads, detects a
flipped bit in a counter or a score.
"""

import errno
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from paac_cli.errors import CheckpointError, UnreadableCheckpointError
from paac_cli.files import read_regular, write_synced
from paac_cli.runs.arrays import unique_keys
from paac_cli.runs.runtime import Runtime

MANIFEST, CHECKSUM = "manifest.json", "manifest.sha256"
FORMAT = 3  #: version of the checkpoint format; no other version is read

_MAX_BYTES = 1_000_000
#: Errors of the machine, which say nothing about a file.
_TEMPORARY = (
    *(errno.EACCES, errno.EAGAIN, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT),
)

_Count = Annotated[int, Field(ge=0, le=10**18)]


class Counters(BaseModel):
    """How far a run has come."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    steps: _Count = 0  #: agent steps, summed over environments
    updates: _Count = 0
    episodes: _Count = 0  #: finished games
    seconds: Annotated[float, Field(ge=0, le=1e12)] = 0.0  #: of training, over all sessions


_File = Literal["policy.safetensors", "learner.safetensors", "sampling.safetensors", "progress.safetensors"]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """The contents of `manifest.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    format: int = FORMAT
    counters: Counters
    score: FiniteFloat | None  #: mean raw return of the latest games, once there are enough of them
    is_evaluated: bool = False  #: whether `score` is the mean of an evaluation instead
    evaluation_due: bool = False  #: whether a run that resumes must first make up for an interrupted evaluation
    config: dict[str, Any]
    runtime: Runtime  #: of the session that wrote it
    approximate: tuple[str, ...] = Field(strict=False)  #: why the run is not bit-for-bit reproducible; empty if it is
    files: dict[_File, _Sha256]


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest` and its checksum to `directory`, synced. Raises OSError."""
    sha256 = write_synced(directory / MANIFEST, [manifest.model_dump_json(indent=2).encode()])
    write_synced(directory / CHECKSUM, [_checksum_line(sha256)])


def reading_failed(directory: Path, error: OSError) -> CheckpointError:
    """What to raise if a file of the checkpoint in `directory` cannot be read."""
    if error.errno in _TEMPORARY:
        return UnreadableCheckpointError(f"{directory} cannot be read at present: {error}")
    return CheckpointError(f"{directory} is damaged or not a checkpoint of paac: {error}")


def read_manifest(directory: Path) -> Manifest:
    """The manifest of the checkpoint in `directory`.

    Raises CheckpointError if it is damaged, and UnreadableCheckpointError if it is intact but of another format.
    """
    try:
        text = read_regular(directory / MANIFEST, _MAX_BYTES)
        data = json.loads(text, object_pairs_hook=unique_keys)
        if read_regular(directory / CHECKSUM, _MAX_BYTES) != _checksum_line(hashlib.sha256(text).hexdigest()):
            raise CheckpointError(f"{directory} is damaged: {MANIFEST} does not match {CHECKSUM}")
        found = data.get("format", FORMAT) if isinstance(data, dict) else FORMAT
        if found != FORMAT and isinstance(found, int):
            raise UnreadableCheckpointError(
                f"{directory} has checkpoint format {found}; this version of paac reads only {FORMAT}. "
                "Use the version that wrote it"
            )
        return Manifest.model_validate(data)
    except OSError as error:
        raise reading_failed(directory, error) from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        location = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UnreadableCheckpointError(
                f"{directory} has the field {location} in {MANIFEST}, which this version of paac does not know. "
                "Use the version that wrote it"
            ) from error
        raise CheckpointError(
            f"{directory} is damaged or not a checkpoint of paac: {MANIFEST}: {location}: {first['msg']}"
        ) from error
    except (ValueError, RecursionError) as error:  # not JSON, or nested too deeply for the parser
        raise CheckpointError(f"{directory} is damaged or not a checkpoint of paac: {MANIFEST}: {error}") from error


def _checksum_line(sha256: str) -> bytes:
    return f"{sha256}  {MANIFEST}\n".encode()
