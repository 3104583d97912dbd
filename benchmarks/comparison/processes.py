"""Running a contestant: a process of its own, ended with all of its children whatever happens."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

#: All contestants run on the CPU; and a peer must find nothing but what its own environment holds.
ON_THE_CPU = {"CUDA_VISIBLE_DEVICES": "-1"}
ISOLATED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
_POLL = 0.005  # seconds

Command = Sequence[str | Path]


class Failed(Exception):  # noqa: N818 (an outcome, which is reported)
    """A contestant gave no figure. The message is one line."""


def last_line(text: str) -> str:
    """The last line of `text` that says something: of a traceback, the exception."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


@contextlib.contextmanager
def running(command: Command, *, isolated: bool = False, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process with a group of its own, of which nothing is left in the end."""
    environment = {name: value for name, value in os.environ.items() if not (isolated and name in ISOLATED)}
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
    """What a command prints. Raises Failed where it takes too long or exits otherwise."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        with running(command, isolated=isolated, **pipes) as process:
            output, errors = process.communicate(timeout=timeout)
    except FileNotFoundError as error:
        raise Failed(str(error)) from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"not done after {timeout:.0f} s") from error
    if process.returncode != exit_code:
        raise Failed(f"exit code {process.returncode}: {last_line(errors)}")
    return output


def json_of(command: Command, timeout: float, *, isolated: bool = False) -> dict[str, Any]:
    """The JSON object that a command prints, whatever else it prints before. Raises Failed."""
    output = output_of(command, timeout, isolated=isolated)
    try:
        result = json.loads(output[output.rfind("\n{") + 1 :])
    except ValueError as error:
        raise Failed(f"no JSON: {last_line(output)}") from error
    if not isinstance(result, dict) or not isinstance(result.get("steps_per_second"), int | float):
        raise Failed("no steps_per_second in what it printed")
    return result


def await_file(process: subprocess.Popen[str], path: Path, lines: int, timeout: float, errors: IO[str]) -> None:
    """Wait until `path` has so many lines. Raises Failed where `process` ends before, or it takes too long."""
    until = time.monotonic() + timeout
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        if process.poll() is not None:
            errors.seek(0)
            raise Failed(f"exit code {process.returncode}: {last_line(errors.read())}")
        if time.monotonic() > until:
            raise Failed(f"nothing in {path.name} after {timeout:.0f} s")
        time.sleep(_POLL)
