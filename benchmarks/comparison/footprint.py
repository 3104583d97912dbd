"""What is small: the answers of the command line, the start of a run, and its memory."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from comparison.processes import Command, Failed, await_file, output_of, running

PAAC = Path(sys.executable).with_name("paac")
_TIMEOUT = 120.0  # seconds
_RUNS_OF_A_COMMAND = 3
_SETTLED = 5.0  # seconds of training after which its memory is looked at


class Training(NamedTuple):
    process: subprocess.Popen[str]
    metrics: Path
    errors: IO[str]
    began: float  #: on the clock of perf_counter

    def await_first_update(self) -> None:
        """Until the first row of metrics, which comes after the first update. Raises Failed."""
        await_file(self.process, self.metrics, 2, _TIMEOUT, self.errors)


def answer(*arguments: str, exit_code: int = 0) -> dict[str, float]:
    """Seconds that `paac` takes to answer. Raises Failed where it exits otherwise."""
    seconds = []
    for _ in range(_RUNS_OF_A_COMMAND):
        start = time.perf_counter()
        output_of([PAAC, *arguments], _TIMEOUT, exit_code=exit_code)
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds)}


def start(num_envs: int, num_workers: int) -> dict[str, float]:
    """Seconds from the command to the first update of `paac train`. Raises Failed."""
    with training(num_envs, num_workers) as run:
        run.await_first_update()
        return {"seconds": time.perf_counter() - run.began}


def memory(num_envs: int, num_workers: int) -> dict[str, float]:
    """Megabytes of `paac train` while it learns: the learner's RSS, the largest PSS of a worker, and that of the
    largest other process, which is the server that forks them.

    PSS counts a page that several processes share in equal parts. Raises Failed.
    """
    with training(num_envs, num_workers) as run:
        run.await_first_update()
        time.sleep(_SETTLED)
        if run.process.poll() is not None:
            raise Failed(f"the run has ended: exit code {run.process.returncode}")
        learner = run.process.pid
        parents = _descendants(learner)
        workers = [_megabytes(process, "Pss") for process, parent in parents.items() if parent != learner]
        others = [_megabytes(process, "Pss") for process, parent in parents.items() if parent == learner]
        if not workers:
            raise Failed("no worker is left")
        return {"learner_rss": _megabytes(learner, "Rss"), "worker_pss": max(workers), "server_pss": max(others)}


@contextlib.contextmanager
def training(num_envs: int, num_workers: int) -> Iterator[Training]:
    """`paac train` of Pong in a directory that goes with it, with a row of metrics at every update."""
    settings = ["--set", "training.log_every=1", "--set", "training.stop_when=null", "--total-steps", "1_000_000_000"]
    sizes = ["--num-envs", str(num_envs), "--num-workers", str(num_workers)]
    with tempfile.TemporaryDirectory() as place, (Path(place) / "errors.txt").open("w+") as errors:
        directory = Path(place) / "run"
        command: Command = [PAAC, "train", "--preset", "pong", *settings, *sizes, "--run-dir", directory]
        began = time.perf_counter()
        with running(command, stdout=subprocess.DEVNULL, stderr=errors) as process:
            yield Training(process, directory / "metrics.csv", errors, began)


def _descendants(ancestor: int) -> dict[int, int]:
    """Process id -> that of its parent, of all below `ancestor`."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [ancestor]
    for process in found:  # which grows as it goes
        found += [child for child, parent in parents.items() if parent == process]
    return {process: parents[process] for process in found[1:]}


def _megabytes(process: int, name: str) -> float:
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
