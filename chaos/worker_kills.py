"""Workers are killed and stopped at random moments of a training that goes on: it comes to the very same end."""

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

from chaos.endurance import RECIPES, Reference, Struck, come_to_its_end, endure
from chaos.sittings import Recipe, Sitting
from chaos.tally import Tally
from paac_cli.runs.checkpoint import list_checkpoints
from paac_cli.runs.run_directory import RunDirectory

_DEATHS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)
_STOPPED = 0.1  # share of the blows that stop a worker, which then hangs, and does not kill it
_TIMEOUT = 2  # seconds after which one that hangs is given up
_PAUSE = 0.5  # seconds between two blows, in the mean
_BLOWS_TO_A_RUN = 40
_LATE = 5.0  # seconds before the end of a training
#: For any number of losses.
_SETTINGS = ("--set", "sampling.max_restarts=1000000", "--set", f"sampling.worker_timeout={_TIMEOUT}")

#: What a training says of a loss: why, and where.
_LOSS = re.compile(r"Lost worker \d+ \([^)]*\): (.+?) (in step|in the start|while it made|while it played|between two)")
_WHERE = {
    "in step": "in a step",
    "in the start": "at the start of a game",
    "while it made": "while it loaded",
    "while it played": "while it played a game again",
    "between two": "idle",
}


def run(*, seed: int = 1, kills: int = 200, recipes: Sequence[Recipe] = RECIPES) -> Tally:
    """`kills` workers, at any moment from when they are forked: while they import, make games, play, and idle."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # children inherit it
    tolerant = [Recipe(one.name, (*one.arguments, *_SETTINGS)) for one in recipes]
    return endure(
        "workers killed or stopped while a training goes on: each told and replaced, the same bits in the end",
        _train_with_losses,
        blows=kills,
        seed=seed,
        recipes=tolerant,
        most=_BLOWS_TO_A_RUN,
    )


class Blow(NamedTuple):
    """A signal to a worker."""

    pid: int
    number: signal.Signals
    at: float  #: seconds since the epoch


def _train_with_losses(reference: Reference, run: Path, most: int, rng: np.random.Generator) -> list[Struck]:
    """One sitting, in which up to `most` workers are lost."""
    blows: list[Blow] = []
    with Sitting(reference.recipe, run) as sitting:
        while len(blows) < most and sitting.wait(rng.exponential(_PAUSE)) is None:
            if pids := sorted({worker.pid for worker in sitting.workers()} - {blow.pid for blow in blows}):
                pid = pids[rng.integers(len(pids))]
                number = signal.SIGSTOP if rng.random() < _STOPPED else _DEATHS[rng.integers(len(_DEATHS))]
                with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(pid, number)
                    blows.append(Blow(pid, number, time.time()))
        come_to_its_end(sitting)
        said = sitting.said
    ended = list_checkpoints(RunDirectory(run).checkpoints)[0].stat().st_mtime
    struck = [Struck(f"{cause} {_WHERE[where]}", []) for cause, where in _LOSS.findall(said)]
    struck += [Struck("when all was done", []) for _ in range(len(blows) - len(struck))]
    return [Struck(one.when, [] if n else untold(blows, said, ended)) for n, one in enumerate(struck)]


def untold(blows: Sequence[Blow], said: str, ended: float) -> list[str]:
    """Causes of loss of which a training has `said` less than it had to.

    ended: when it did, on the clock of `Blow.at`. Blows near the end may find it done with its workers.
    """
    due = Counter(_cause(blow.number) for blow in blows if blow.at < ended - _LATE)
    told = {cause: said.count(cause) for cause in due}
    return [f"{due[cause]} times {cause}, told {told[cause]} times" for cause in due if told[cause] < due[cause]]


def _cause(number: signal.Signals) -> str:
    """What a training says of a worker to which this signal is sent."""
    return f"hung for {_TIMEOUT} s" if number == signal.SIGSTOP else f"killed by {number.name}"
