"""One session of a run: `paac train` as a background process, observed through its files and /proc."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from paac_cli.runs.run_directory import CONFIG, RunDirectory

_SHARED_MEMORY = Path("/dev/shm")
_POLL = 0.005  # seconds
_TIMEOUT = 100.0  # seconds within which a session must reach a state that a caller waits for


class Recipe(NamedTuple):
    """A short training run with a reproducible result."""

    name: str
    arguments: tuple[str, ...]  #: of `paac train`
    launcher: tuple[str, ...] = ()  #: words between `paac` and `train`, which start it in several ranks


def recipe(name: str, preset: str, **settings: object) -> Recipe:
    """`preset` with changed settings, e.g. `training__total_steps=640`. The run ends only at `total_steps`."""
    settings = {"training__stop_when": "null", "training__device": "cpu"} | settings
    assignments = (("--set", f"{key.replace('__', '.')}={value}") for key, value in settings.items())
    return Recipe(name, ("--preset", preset, *(word for assignment in assignments for word in assignment)))


class Process(NamedTuple):
    """A live process, as /proc shows it."""

    pid: int
    parent: int
    name: str  #: as `top` shows it
    command: str

    @property
    def short_command(self) -> str:
        """Program name and first arguments, without paths and descriptors that differ between machines."""
        program, _, arguments = self.command.partition(" ")
        return f"{Path(program).name} {arguments.partition('(')[0]}".strip() or "a process that is exiting"


class Session:
    """`paac train` as a user starts it, in a new process session. A context manager: leaving the block kills all of its
    processes.
    """

    def __init__(self, recipe: Recipe, run_dir: Path, prefix: Sequence[str] = (), **popen: Any) -> None:
        """Start the process. Standard output and standard error go to files next to `run_dir`.

        prefix: the beginning of the command, which runs the rest in its own process, e.g. `taskset -c 0`.
        popen: options of `subprocess.Popen`, which override the defaults set here.
        """
        self.run_dir = run_dir
        self._stdout, self._stderr = (run_dir.with_name(f"{run_dir.name}.{name}") for name in ("stdout", "stderr"))
        self._shared_memory = _named_shared_memory()
        self._config_before = self._config_version()
        words = [*recipe.launcher, "train", *recipe.arguments, "--run-dir", str(run_dir)]
        command = [*prefix, sys.executable, "-m", "paac_cli", *words]
        with self._stdout.open("w") as stdout, self._stderr.open("w") as stderr:
            options = {"stdout": stdout, "stderr": stderr, "preexec_fn": default_signals} | popen
            self.process = subprocess.Popen(command, text=True, start_new_session=True, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def pid(self) -> int:
        """The process id of the learner, which is the process that was started."""
        return self.process.pid

    @property
    def output(self) -> str:
        """The standard output so far."""
        return self._stdout.read_text()

    @property
    def errors(self) -> str:
        """The standard error so far."""
        return self._stderr.read_text()

    @property
    def is_training(self) -> bool:
        """Whether the session has written the run's config, which it does when workers and agent are ready."""
        return self._config_version() != self._config_before

    def wait(self, seconds: float) -> int | None:
        """The exit code, negative for the signal that killed the process; None if it still runs after `seconds`."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def wait_until_finished(self, seconds: float) -> None:
        """Wait for exit code 0. Raises RuntimeError on another exit code, or after `seconds`."""
        code = self.wait(seconds)
        if code != 0:
            state = f"is still running after {seconds:g} s" if code is None else f"ended with exit code {code}"
            raise RuntimeError(f"the training {state}:\n{self.output}{self.errors}")

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` is true. Raises RuntimeError if the session ends before, or after a timeout."""
        if wait_for(lambda: bool(condition()) or self.process.poll() is not None, _TIMEOUT) and condition():
            return
        code = self.process.poll()
        state = f"timed out after {_TIMEOUT:g} s" if code is None else f"ended with exit code {code}"
        raise RuntimeError(f"the training {state}:\n{self.output}{self.errors}")

    def wait_for_rows(self, count: int = 1) -> None:
        """Wait until metrics.csv has `count` rows. Raises as `wait_until`."""
        path = RunDirectory(self.run_dir).metrics_csv
        self.wait_until(lambda: path.exists() and path.read_text().count("\n") > count)

    def wait_for_checkpoint(self) -> None:
        """Wait until the run has a checkpoint. Raises as `wait_until`."""
        self.wait_until(lambda: any(self.run_dir.glob("checkpoints/step_*")))

    def send(self, number: int, *, to_group: bool = False) -> None:
        """Send a signal to the learner, or to the whole process group as a terminal does."""
        (os.killpg if to_group else os.kill)(self.pid, number)

    def processes(self) -> list[Process]:
        """The live processes of the session."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # the process has just ended
                start, _, end = (path / "stat").read_text().rpartition(")")
                state, parent, _, session = end.split()[:4]
                if int(session) == self.pid and state != "Z":
                    command = (path / "cmdline").read_text().replace("\0", " ")
                    found.append(Process(int(path.name), int(parent), start.partition("(")[2], command))
        return found

    def children(self) -> set[int]:
        """The ids of all processes of the session except the learner."""
        return {process.pid for process in self.processes()} - {self.pid}

    def workers(self) -> list[Process]:
        """The worker processes. The fork server has other children too: they look at an environment before the run."""
        processes = self.processes()
        servers = {process.pid for process in processes if process.parent == self.pid}
        return [each for each in processes if each.parent in servers and each.name.startswith("paac worker")]

    def ranks(self) -> list[int]:
        """The process ids of the ranks that `paac launch` has started, by rank; they are its children."""
        return sorted(each.pid for each in self.processes() if each.parent == self.pid and " train " in each.command)

    def remaining_processes(self, seconds: float = 5.0) -> list[Process]:
        """The processes that are still alive after `seconds`; returns as soon as there are none."""
        wait_for(lambda: not self.processes(), seconds)
        return self.processes()

    def leftovers(self, seconds: float) -> list[str]:
        """Descriptions of the processes and the named shared memory that still exist after `seconds`."""
        wait_for(lambda: not self.processes() and not self._new_shared_memory(), seconds)
        return [f"still alive: {process.short_command}" for process in self.processes()] + [
            f"left in {_SHARED_MEMORY}: {name}" for name in sorted(self._new_shared_memory())
        ]

    def _new_shared_memory(self) -> set[str]:
        return _named_shared_memory() - self._shared_memory

    def _config_version(self) -> tuple[int, int] | None:
        """A value that changes whenever the run's config is written; None if there is no config."""
        try:
            status = (self.run_dir / CONFIG).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns


def default_signals() -> None:
    """Restore the default actions of SIGINT and SIGHUP in a child process: `nohup` and a shell's `&` ignore them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _named_shared_memory() -> set[str]:
    """Names of the files in /dev/shm; a directory there is not shared memory."""
    return {path.name for path in _SHARED_MEMORY.iterdir() if path.is_file()}


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until `condition` is true. Returns False if it is still false after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
