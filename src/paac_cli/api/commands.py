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

import numpy as np

from paac_cli.errors import CommandError, ConfigError
from paac_cli.training.processes import start_paac

#: Shows a line of text to a person.
Show = Callable[[str], None]
#: Gets the step and a row of metrics: column -> number, NaN where it is missing. The training stops if it returns
#: something false, such as `False`, other than None.
OnMetrics = Callable[[int, dict[str, float]], object]

_SHOW_EVERY = 10.0  # minimum seconds between lines about progress
_ERROR_LINES = 100  # of standard error, in the message of a CommandError
_POLL = 0.5  # seconds between looks whether a command that prints nothing has ended
_GRACE = 5.0  # seconds for the last lines of one that has ended
_STOPPED = (128 + signal.SIGTERM, 128 + signal.SIGINT, -signal.SIGTERM)  # exit codes after `stop`


class _Line(NamedTuple):
    """What a command has printed."""

    text: str
    is_error: bool  #: whether on standard error


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
    on_metrics: called after every `training.log_every` steps. If it returns something false, such as `False`, other
                than None, or raises, the training saves a checkpoint and stops.
    show:       gets events, and a line about progress every ten seconds; None: nothing is shown.
    options:    those of the command, e.g. env="Acrobot-v1", seed=2, total_steps=100_000, run_dir="runs/a", fresh=True.

    Ctrl-C, too, saves and stops, before it raises KeyboardInterrupt; a second one does not save. Raises CommandError if
    the command fails, and ConfigError if a setting is no data.
    """
    assignments = [f"--set={key}={_to_yaml(key, value)}" for key, value in (settings or {}).items()]
    arguments = ["train", f"--preset={os.fspath(preset)}", *assignments, *_flags(options), "--log-json"]
    entry: dict[str, Any] = {}
    shown_at = -math.inf
    with _Command(arguments, show) as command:
        for line in command.output():
            entry = json.loads(line)
            if entry["type"] == "metrics":
                if time.monotonic() - shown_at >= _SHOW_EVERY:
                    shown_at = time.monotonic()
                    command.show(entry["text"])
                if on_metrics is not None and not command.is_stopping:
                    answer = on_metrics(entry["steps"], _numbers(entry["metrics"]))
                    if answer is not None and not answer:
                        command.stop()
            elif entry["type"] == "event" and entry["event"] != "checkpoint_saved":
                command.show(entry["text"])
        command.check(entry.get("exit_code"))
    return TrainResult(
        run_dir=Path(entry["run_dir"]),
        steps=entry["steps"],
        games=entry["games"],
        mean_return=math.nan if entry["mean_return"] is None else entry["mean_return"],
        goal_reached=entry["goal_reached"],
        is_finished=entry["exit_code"] == 0,
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
        self.show: Show = _discard if show is None else show
        self.is_stopping = False
        self._errors: deque[str] = deque(maxlen=_ERROR_LINES)
        self._lines: queue.SimpleQueue[_Line | None] = queue.SimpleQueue()  # None: the end of a stream
        self._process = start_paac(arguments, os.sched_getaffinity(0), {}, subprocess.PIPE, subprocess.PIPE)
        streams = ((self._process.stdout, False), (self._process.stderr, True))
        self._open = len(streams)
        try:
            for each in streams:
                threading.Thread(target=self._read, args=each, daemon=True).start()
        except BaseException:
            self._kill()
            raise

    def _read(self, stream: Any, is_error: bool) -> None:
        with stream:
            for line in stream:
                self._lines.put(_Line(line.rstrip("\n"), is_error))
        self._lines.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None and self._process.poll() is None:
                self.show = _discard  # which may be what has raised
                self.stop()
                deque(self.output(), maxlen=0)
                if self._process.wait() not in (0, *_STOPPED):
                    error.add_note("\n".join([f"paac {self._name} could not be stopped as it should:", *self._errors]))
            self._process.wait()
        finally:  # also after a second Ctrl-C
            self._kill()

    def stop(self) -> None:
        """Let it save, if it trains, and end."""
        self.is_stopping = True
        self._process.terminate()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def output(self) -> Iterator[str]:
        """The lines of its standard output, until it has ended; those of its standard error are shown meanwhile."""
        while self._open:
            has_ended = self._process.poll() is not None
            try:
                line = self._lines.get(timeout=_GRACE if has_ended else _POLL)
            except queue.Empty:
                if has_ended:  # a process that it has left behind holds its pipes open
                    return
                continue
            if line is None:
                self._open -= 1
            elif line.is_error:
                self._errors.append(line.text)
                self.show(line.text)
            else:
                yield line.text

    def check(self, expected: int | None = None) -> None:
        """Raise CommandError if it has failed. expected: the exit code in its result; None without a result."""
        code = self._process.wait()
        if code and code != expected:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
            raise CommandError("\n".join([f"paac {self._name} {how}", *self._errors]), code)


def _discard(_: str) -> None:
    """Show nothing."""


def _flags(options: Mapping[str, Any]) -> Iterator[str]:
    """Keyword arguments as options: True is an option without a value, and None and False leave it out."""
    for name, given in options.items():
        option, value = f"--{name.replace('_', '-')}", _whole(given.item() if isinstance(given, np.generic) else given)
        if value is True:
            yield option
        elif value is not None and value is not False:
            yield f"{option}={value}"


def _whole(value: Any) -> Any:
    """1e6 as a whole number, as it is on the command line; any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _numbers(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if number is None else number for name, number in metrics.items()}


def _to_yaml(key: str, value: Any) -> str:
    """The value of a setting as JSON, which is YAML, too. Raises ConfigError if it is no data."""

    def plain(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.generic | np.ndarray) else os.fspath(value)

    try:
        if not key.startswith("env."):  # whose arguments may be of any type
            value = _whole(value)
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=plain)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{key} = {value!r}: not a finite number, text, list or mapping of these ({error})"
        ) from error
