"""`run.json`: which preset a run was started with, and how its latest session ended."""

import contextlib
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from paac_cli.files import read_regular, replace_synced
from paac_cli.text import printable, shorten

RECORD = "run.json"
_MAX_BYTES, _MAX_REASON = 100_000, 2_000


class Status(StrEnum):
    """How far a run has come, or how its latest session ended."""

    RUNNING = "running"
    STOPPED = "stopped"  #: by a signal; the same command resumes it
    FINISHED = "finished"  #: at `total_steps` or at its goal
    FAILED = "failed"
    KILLED = "killed"  #: its process ended without a chance to say why


class RunRecord(BaseModel):
    """The contents of `run.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str = ""  #: as the user gave it: a name or a path; empty if unknown
    status: Status = Status.RUNNING  #: at the end of the latest session; `RUNNING` before
    reason: str = ""  #: of a failure


def write_record(run: Path, record: RunRecord) -> None:
    """Write `record` to the run directory `run`; long or unprintable texts are shortened or escaped. Raises OSError."""
    texts = {"preset": printable(record.preset), "reason": shorten(printable(record.reason), _MAX_REASON)}
    record = record.model_copy(update=texts)
    replace_synced(run / RECORD, [record.model_dump_json(indent=2).encode() + b"\n"])


def read_record(run: Path) -> RunRecord | None:
    """The record of the run directory `run`; None if it has none that can be read, e.g. from an earlier version."""
    with contextlib.suppress(OSError, ValidationError):
        return RunRecord.model_validate_json(read_regular(run / RECORD, _MAX_BYTES))
    return None
