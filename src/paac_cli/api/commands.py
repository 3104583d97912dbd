"""The commands that train, evaluate and record, as functions.

Each runs `paac` in a process of its own. So results are those of the command, a training can use all threads and the
GPU, and nothing of it stays in the process that calls.
"""

import json
import math
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from paac_cli.errors import CommandError
from paac_cli.training.processes import start_paac

#: Shows a line of text to a person.
Show = Callable[[str], None]
#: Gets the step and a row of metrics: column -> number, NaN where it is missing. If it returns False, training stops.
OnMetrics = Callable[[int, dict[str, float]], object]

_SHOW_EVERY = 10.0  # minimum seconds between lines about progress
_ERROR_LINES = 100  # of standard error, in the message of a CommandError
_POLL = 0.5  # seconds


class TrainResult(NamedTuple):
    """How far a training has come."""

    run_dir: Path
    steps: int
    games: int
    mean_return: float  #: of the last 100 games; NaN if no game has finished
    goal_reached: bool  #: that of `training.stop_when`
    is_finished: bool  #: False if it was stopped; call `train` again to resume it


def train(
    preset: str | os.PathLike[str],
    settings: Mapping[str, Any] | None = None,
    *,
    on_metrics: OnMetrics | None = None,
    show: Show | None = print,
    **options: Any,
) -> TrainResult:
    """Train with a preset, or resume: as `paac train --preset PRESET --set KEY=VALUE ...`.

    preset:     a name, or the path of a YAML file.
    settings:   key -> value, e.g. {"algorithm.gamma": 0.98, "env.kwargs": {"size": 8}}.
    on_metrics: called after every `training.log_every` steps. If it returns False or raises, the training saves a
                checkpoint and stops.
    show:       gets events, and a line about progress every ten seconds; None: nothing is shown.
    options:    those of the command, e.g. env="Acrobot-v1", seed=2, total_steps=100_000, run_dir="runs/a", fresh=True.

    Ctrl-C, too, saves and stops, before it raises KeyboardInterrupt; a second one does not save. Raises CommandError if
    the command fails.
    """
    assignments = [f"--set={key}={json.dumps(value, default=_plain)}" for key, value in (settings or {}).items()]
    arguments = ["train", f"--preset={os.fspath(preset)}", *assignments, *_flags(options), "--log-json"]
    result: dict[str, Any] | None = None
    shown_at = -math.inf
    with _Command(arguments, show) as command:
        for line in command.output():
            entry = _entry(line)
            if entry["type"] == "result":
                result = entry
            elif entry["type"] == "metrics":
                if time.monotonic() - shown_at >= _SHOW_EVERY:
                    shown_at = time.monotonic()
                    command.show(entry["text"])
                row = _numbers(entry["metrics"])
                if on_metrics and not command.is_stopping and on_metrics(entry["steps"], row) is False:
                    command.stop()
            elif entry.get("event") != "checkpoint_saved":
                command.show(entry["text"])
        command.check(is_stopped=result is not None)
    if result is None:
        raise CommandError("paac train has printed no result", 0)
    return TrainResult(
        run_dir=Path(result["run_dir"]),
        steps=result["steps"],
        games=result["games"],
        mean_return=math.nan if result["mean_return"] is None else result["mean_return"],
        goal_reached=result["goal_reached"],
        is_finished=result["exit_code"] == 0,
    )


def evaluate(path: str | os.PathLike[str], *, show: Show | None = print, **options: Any) -> dict[str, Any]:
    """Play whole games with a trained policy: the report of `paac eval PATH --json`, e.g. `mean` and `scores`.

    path:    a run directory, whose best policy plays, or a checkpoint.
    show:    gets lines about progress; None: nothing is shown.
    options: those of the command, e.g. episodes=100, greedy=True, seed=1, last=True, trust_code=True.

    Raises CommandError.
    """
    with _Command(["eval", os.fspath(path), "--json", *_flags(options)], show) as command:
        text = "\n".join(command.output())
        command.check()
    report: dict[str, Any] = json.loads(text)
    return report


def record(
    video: str | os.PathLike[str], path: str | os.PathLike[str], *, show: Show | None = print, **options: Any
) -> None:
    """Record a video of a trained policy: as `paac record VIDEO --checkpoint PATH`.

    video:   a file that ends with .mp4, .webm or .gif.
    path:    a run directory, whose best policy plays, or a checkpoint.
    show:    gets lines about progress, and the result; None: nothing is shown.
    options: those of the command, e.g. overlay=True, best_of=30, grid="3x3", seconds=60.

    Raises CommandError.
    """
    arguments = ["record", os.fspath(video), f"--checkpoint={os.fspath(path)}", *_flags(options)]
    with _Command(arguments, show) as command:
        for line in command.output():
            command.show(line)
        command.check()


class _Command:
    """A `paac` command in a process of its own. Leaving the block stops it, and waits until it has ended."""

    def __init__(self, arguments: Sequence[str], show: Show | None) -> None:
        """show: gets the lines of its standard error, and those that `show` is called with; None: nothing is shown."""
        self._name = arguments[0]
        self.show: Show = show or _discard
        self.is_stopping = False
        self._process = start_paac(arguments, os.sched_getaffinity(0), {}, subprocess.PIPE, subprocess.PIPE)
        self._errors: deque[str] = deque(maxlen=_ERROR_LINES)
        self._lines: queue.SimpleQueue[tuple[bool, str]] = queue.SimpleQueue()
        streams = ((False, self._process.stdout), (True, self._process.stderr))
        self._readers = [threading.Thread(target=self._read, args=each, daemon=True) for each in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, is_error: bool, stream: Any) -> None:
        for line in stream:
            self._lines.put((is_error, line.rstrip("\n")))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.stop()
        try:
            self._process.wait()
        finally:  # a second Ctrl-C
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Let it save, if it trains, and end. Once: a second signal would end it without saving."""
        if not self.is_stopping:
            self.is_stopping = True
            self._process.send_signal(signal.SIGINT)

    def output(self) -> Iterator[str]:
        """The lines of its standard output, until it has ended; those of its standard error are shown meanwhile."""
        while not self._has_ended():
            try:
                is_error, line = self._lines.get(timeout=_POLL)
            except queue.Empty:
                continue
            if not is_error:
                yield line
                continue
            self._errors.append(line)
            self.show(line)

    def _has_ended(self) -> bool:
        """Whether no line will come. A process that it has left behind may hold its pipes open for longer."""
        has_ended = self._process.poll() is not None
        if has_ended:
            for reader in self._readers:
                reader.join(_POLL)
        return has_ended and self._lines.empty()

    def check(self, *, is_stopped: bool = False) -> None:
        """Raise CommandError if it has failed. is_stopped: it was stopped as it should be, if it has not finished."""
        code = self._process.wait()
        if code and not is_stopped:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
            raise CommandError("\n".join([f"paac {self._name} {how}", *self._errors]), code)


def _discard(_: str) -> None:
    """Show nothing."""


def _flags(options: Mapping[str, Any]) -> Iterator[str]:
    """Keyword arguments as options: True is an option without a value, and None and False leave it out."""
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            yield option
        elif value is not None and value is not False:
            yield f"{option}={value}"


def _entry(line: str) -> dict[str, Any]:
    """A line of `paac train --log-json`, or one of type "text", which an environment or a library has printed."""
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    return entry if isinstance(entry, dict) and "type" in entry else {"type": "text", "text": line}


def _numbers(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if number is None else number for name, number in metrics.items()}


def _plain(value: Any) -> Any:
    """A setting as what JSON has: of a number or an array of NumPy, or a path. Raises TypeError."""
    return value.tolist() if hasattr(value, "tolist") else os.fspath(value)
