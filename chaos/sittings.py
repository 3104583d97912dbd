"""`paac train` as a user starts it, in a session of its own, and what the machine shows of it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

_SHARED_MEMORY = Path("/dev/shm")
_POLL = 0.005  # seconds


class Recipe(NamedTuple):
    """A short training, which comes to the same each time."""

    name: str
    arguments: tuple[str, ...]  #: of `paac train`


def recipe(name: str, preset: str, **settings: object) -> Recipe:
    """A preset with dotted keys, written with `__`, set to other values. It ends by its steps alone."""
    settings = {"training__stop_when": "null", "training__device": "cpu"} | settings
    assignments = (("--set", f"{key.replace('__', '.')}={value}") for key, value in settings.items())
    return Recipe(name, ("--preset", preset, *(word for assignment in assignments for word in assignment)))


class Process(NamedTuple):
    """A process that lives, as /proc shows it."""

    pid: int
    parent: int
    command: str

    @property
    def told(self) -> str:
        """Its command, as far as that is the same on every machine."""
        program, _, arguments = self.command.partition(" ")
        return f"{Path(program).name} {arguments.partition('(')[0]}".strip() or "a process that is about to end"


class Sitting:
    """One sitting of a training. A context manager: nothing of it outlives the block."""

    def __init__(self, what: Recipe, directory: Path) -> None:
        self.run = directory
        self._output = directory.with_name(f"{directory.name}.txt")
        self._shared_memory = _shared_memory()
        self._said_before = len(self.said)
        command = [sys.executable, "-m", "paac_cli", "train", *what.arguments, "--run-dir", str(directory)]
        with self._output.open("a") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, preexec_fn=hear_signals
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def said(self) -> str:
        """All that it and the sittings before it have printed."""
        return self._output.read_text() if self._output.exists() else ""

    @property
    def has_begun(self) -> bool:
        """Whether it has come as far as to train."""
        return "environments on" in self.said[self._said_before :]

    @property
    def pid(self) -> int:
        """Of the learner."""
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """Its exit code, minus the signal if one has ended it; None where it goes on for longer."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: int, *, to_all: bool = False) -> None:
        """A signal to the learner, or, as a terminal does, to the whole group."""
        (os.killpg if to_all else os.kill)(self._process.pid, number)

    def processes(self) -> list[Process]:
        """All that live in its session."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                state, parent, _, session = (place / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == self._process.pid and state != "Z":
                    command = (place / "cmdline").read_text().replace("\0", " ")
                    found.append(Process(int(place.name), int(parent), command))
        return found

    def workers(self) -> list[Process]:
        """Its worker processes: the children of what the learner has started to fork them from."""
        processes = self.processes()
        servers = {process.pid for process in processes if process.parent == self._process.pid}
        return [process for process in processes if process.parent in servers]

    def leftovers(self, seconds: float) -> list[str]:
        """What is left of it once it has ended and `seconds` have passed: processes and shared memory, in words."""
        await_or_give_up(lambda: not self.processes() and not self._new_shared_memory(), seconds)
        return [f"still alive: {process.told}" for process in self.processes()] + [
            f"left in {_SHARED_MEMORY}: {name}" for name in sorted(self._new_shared_memory())
        ]

    def _new_shared_memory(self) -> set[str]:
        return _shared_memory() - self._shared_memory


def hear_signals() -> None:
    """Undo, in a child, what `nohup` and a shell's `&` do to all below them: they ignore some signals."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _shared_memory() -> set[str]:
    """Names of what shares memory by a name; directories there are somebody's own."""
    return {path.name for path in _SHARED_MEMORY.iterdir() if path.is_file()}


def await_or_give_up(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether `condition` came true within `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(_POLL)
    return True
