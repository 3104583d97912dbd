"""Response time of the command line, time to the first update, and memory of a run."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from comparison.processes import Command, MeasurementError, output_of, running, wait_for_lines

PAAC_EXECUTABLE = Path(sys.executable).with_name("paac")
_TIMEOUT = 120.0  # seconds
_REPETITIONS = 3  # of a command that is timed
_SETTLING_TIME = 5.0  # seconds of training before memory is measured


class Training(NamedTuple):
    """A running `paac train`."""

    process: subprocess.Popen[str]
    metrics: Path  #: its metrics.csv
    errors: IO[str]  #: its standard error
    began: float  #: when it was started, on the clock of `time.perf_counter`

    def wait_for_first_update(self) -> None:
        """Wait for the first row of metrics, which follows the first update. Raises MeasurementError."""
        wait_for_lines(self.process, self.metrics, 2, _TIMEOUT, self.errors)


def response_time(*arguments: str, exit_code: int = 0) -> dict[str, float]:
    """Median seconds that `paac` with `arguments` takes. Raises MeasurementError on another exit code."""
    seconds = []
    for _ in range(_REPETITIONS):
        start = time.perf_counter()
        output_of([PAAC_EXECUTABLE, *arguments], _TIMEOUT, exit_code=exit_code)
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds)}


def first_update_time(num_envs: int, num_workers: int) -> dict[str, float]:
    """Seconds from the start of `paac train` to its first update. Raises MeasurementError."""
    with training(num_envs, num_workers) as run:
        run.wait_for_first_update()
        return {"seconds": time.perf_counter() - run.began}


def memory(num_envs: int, num_workers: int) -> dict[str, float]:
    """Megabytes of `paac train` while it learns: RSS of the learner, largest PSS of a worker, PSS of the fork server.

    PSS (proportional set size) divides each shared page equally among the processes that share it.
    Raises MeasurementError.
    """
    with training(num_envs, num_workers) as run:
        run.wait_for_first_update()
        time.sleep(_SETTLING_TIME)
        if run.process.poll() is not None:
            raise MeasurementError(f"the run ended with exit code {run.process.returncode}")
        learner = run.process.pid
        parents = _descendants(learner)
        workers = [_megabytes(process, "Pss") for process, parent in parents.items() if parent != learner]
        children = [_megabytes(process, "Pss") for process, parent in parents.items() if parent == learner]
        if not workers:
            raise MeasurementError("the run has no worker")
        return {"learner_rss": _megabytes(learner, "Rss"), "worker_pss": max(workers), "server_pss": max(children)}


@contextlib.contextmanager
def training(num_envs: int, num_workers: int) -> Iterator[Training]:
    """`paac train` on Pong in a temporary directory, with a row of metrics after every update."""
    settings = ["--set", "training.log_every=1", "--set", "training.stop_when=null", "--total-steps", "1_000_000_000"]
    sizes = ["--num-envs", str(num_envs), "--num-workers", str(num_workers)]
    with tempfile.TemporaryDirectory() as work, (Path(work) / "errors.txt").open("w+") as errors:
        directory = Path(work) / "run"
        command: Command = [PAAC_EXECUTABLE, "train", "--preset", "pong", *settings, *sizes, "--run-dir", directory]
        began = time.perf_counter()
        with running(command, stdout=subprocess.DEVNULL, stderr=errors) as process:
            yield Training(process, directory / "metrics.csv", errors, began)


def _descendants(ancestor: int) -> dict[int, int]:
    """Process id -> process id of its parent, for all descendants of `ancestor`."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # the process has just ended
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [ancestor]
    for process in found:  # the list grows during the iteration
        found += [child for child, parent in parents.items() if parent == process]
    return {process: parents[process] for process in found[1:]}


def _megabytes(process: int, name: str) -> float:
    with contextlib.suppress(OSError):  # the process has just ended
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
