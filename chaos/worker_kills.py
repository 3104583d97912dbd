"""Kills and stops workers at random moments of a run. Each must be restarted, and the result must not change."""

import contextlib
import os
import re
import resource
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chaos.disturbed_runs import RECIPES, TIMEOUT, Disturbance, Reference, disturb_runs
from chaos.result import TrialResult
from chaos.session import Recipe, Session
from paac_cli.runs.checkpoint_names import list_checkpoints
from paac_cli.runs.run_directory import RunDirectory

_KILLS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)
_STOP_SHARE = 0.1  # share of the signals that are SIGSTOP, which makes the worker hang
_WORKER_TIMEOUT = 2  # seconds after which a hung worker is restarted
_MEAN_PAUSE = 0.5  # seconds between two signals
_MAX_SIGNALS_PER_RUN = 40
_LATE = 5.0  # seconds before the end of a run in which it may already have ended its workers
#: They allow any number of restarts.
_SETTINGS = ("--set", "sampling.max_restarts=1000000", "--set", f"sampling.worker_timeout={_WORKER_TIMEOUT}")

#: A restart in events.log: cause, and activity up to its first number.
_RESTART = re.compile(r"(?:Restarted|Restarting again:) worker \d+ \(.*?\).*?(killed by \w+|hung for \d+ s) ([a-z ]+)")


def run(*, seed: int = 1, kills: int = 200, recipes: Sequence[Recipe] = RECIPES) -> TrialResult:
    """Send `kills` signals to workers, at any moment: while they import, make environments, play or wait."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # children inherit it
    return disturb_runs(
        "workers killed or stopped during training: each is reported and restarted, the same result bit for bit",
        _train_and_kill_workers,
        disturbances=kills,
        seed=seed,
        recipes=[Recipe(recipe.name, (*recipe.arguments, *_SETTINGS)) for recipe in recipes],
        max_per_run=_MAX_SIGNALS_PER_RUN,
    )


class SentSignal(NamedTuple):
    """A signal that was sent to a worker."""

    pid: int
    number: signal.Signals
    time: float  #: seconds since the epoch


def _train_and_kill_workers(
    reference: Reference, run_dir: Path, limit: int, rng: np.random.Generator
) -> list[Disturbance]:
    """Train in one session, and send up to `limit` signals to its workers."""
    sent: list[SentSignal] = []
    with Session(reference.recipe, run_dir) as session:
        while len(sent) < limit and session.wait(rng.exponential(_MEAN_PAUSE)) is None:
            if pids := sorted({worker.pid for worker in session.workers()} - {earlier.pid for earlier in sent}):
                pid = pids[rng.integers(len(pids))]
                number = signal.SIGSTOP if rng.random() < _STOP_SHARE else _KILLS[rng.integers(len(_KILLS))]
                with contextlib.suppress(ProcessLookupError):  # the worker has just ended
                    os.kill(pid, number)
                    sent.append(SentSignal(pid, number, time.time()))
        session.wait_until_finished(TIMEOUT)
    events = RunDirectory(run_dir).events.read_text()
    ended = list_checkpoints(RunDirectory(run_dir).checkpoints)[0].stat().st_mtime
    descriptions = restart_descriptions(events)
    descriptions += ["after the last step"] * (len(sent) - len(descriptions))
    missing = missing_reports(sent, events, ended)
    return [Disturbance(description, [] if n else missing) for n, description in enumerate(descriptions)]


def restart_descriptions(events: str) -> list[str]:
    """Cause and activity of every restart, e.g. "killed by SIGKILL in step". events: the text of events.log."""
    return [f"{cause} {activity.strip()}" for cause, activity in _RESTART.findall(events)]


def missing_reports(sent: Sequence[SentSignal], events: str, ended: float) -> list[str]:
    """Descriptions of the causes that are reported less often than the signals were sent.

    events: the text of events.log.
    ended:  when the run ended, on the clock of `SentSignal.time`. Signals shortly before need not be reported.
    """
    expected = Counter(_cause(each.number) for each in sent if each.time < ended - _LATE)
    reported = {cause: events.count(cause) for cause in expected}
    return [
        f"{expected[cause]} workers {cause}, {reported[cause]} reported"
        for cause in expected
        if reported[cause] < expected[cause]
    ]


def _cause(number: signal.Signals) -> str:
    """The cause that a run reports for a worker that got this signal."""
    return f"hung for {_WORKER_TIMEOUT} s" if number == signal.SIGSTOP else f"killed by {number.name}"
