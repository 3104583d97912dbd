"""Runs each contestant in a new process group, and kills the whole group afterwards."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

#: Environment variables of every contestant: all run on the CPU.
ON_THE_CPU = {"CUDA_VISIBLE_DEVICES": "-1"}
#: Environment variables that a peer does not inherit, so that it imports only from its own virtual environment.
NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
_POLL = 0.005  # seconds

Command = Sequence[str | Path]


class MeasurementError(Exception):
    """A contestant gave no figure. The message is one line."""


def last_line(text: str) -> str:
    """The last non-empty line of `text`; in a traceback, the exception."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no output")


@contextlib.contextmanager
def running(command: Command, *, isolated: bool = False, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run `command` within the block; leaving it kills the whole process group.

    isolated: leave out the variables in `NOT_INHERITED`. options: of `subprocess.Popen`.
    """
    environment = {name: value for name, value in os.environ.items() if not (isolated and name in NOT_INHERITED)}
    process = subprocess.Popen(
        list(map(str, command)), env=environment | ON_THE_CPU, text=True, start_new_session=True, **options
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def output_of(command: Command, timeout: float, *, isolated: bool = False, exit_code: int = 0) -> str:
    """The standard output of `command`. Raises MeasurementError on a timeout or another exit code."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        with running(command, isolated=isolated, **pipes) as process:
            output, errors = process.communicate(timeout=timeout)
    except FileNotFoundError as error:
        raise MeasurementError(str(error)) from error
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"timed out after {timeout:.0f} s") from error
    if process.returncode != exit_code:
        raise MeasurementError(f"exit code {process.returncode}: {last_line(errors)}")
    return output


def output_as_json(command: Command, timeout: float, *, isolated: bool = False) -> dict[str, Any]:
    """The JSON object with `steps_per_second` that `command` prints last. Raises MeasurementError."""
    output = output_of(command, timeout, isolated=isolated)
    try:
        result = json.loads(output[output.rfind("\n{") + 1 :])
    except ValueError as error:
        raise MeasurementError(f"the output is not JSON: {last_line(output)}") from error
    if not isinstance(result, dict) or not isinstance(result.get("steps_per_second"), int | float):
        raise MeasurementError("the output has no steps_per_second")
    return result


def wait_for_lines(process: subprocess.Popen[str], path: Path, lines: int, timeout: float, errors: IO[str]) -> None:
    """Wait until the file `path` has `lines` lines. Raises MeasurementError if `process` ends before, or at a timeout.

    errors: the file with the standard error of `process`.
    """
    deadline = time.monotonic() + timeout
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        if process.poll() is not None:
            errors.seek(0)
            raise MeasurementError(f"exit code {process.returncode}: {last_line(errors.read())}")
        if time.monotonic() > deadline:
            raise MeasurementError(f"{path.name} has fewer than {lines} lines after {timeout:.0f} s")
        time.sleep(_POLL)
