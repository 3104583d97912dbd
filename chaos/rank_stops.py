"""Sends stop signals to single ranks at random moments. All ranks must save once, end, and resume exactly."""

import os
import signal
from collections.abc import Sequence

import numpy as np

from chaos.disturbed_runs import TIMEOUT, Disturbance, disturb_runs, interrupt_and_resume
from chaos.rank_failures import RECIPES
from chaos.result import TrialResult
from chaos.session import Recipe, Session, wait_for
from chaos.signal_stops import check_stop

#: Signal -> exit code of the launcher.
_STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGUSR1: 75}


def run(*, seed: int = 1, stops: int = 40, recipes: Sequence[Recipe] = RECIPES) -> TrialResult:
    """Send `stops` signals to ranks that train, and resume each run."""
    return disturb_runs(
        "stop signals to one rank or to paac launch, each followed by a resume: one checkpoint within 10 s, expected "
        "exit code, nothing left behind, the same result bit for bit",
        interrupt_and_resume(_stop),
        disturbances=stops,
        seed=seed,
        recipes=recipes,
    )


def _stop(session: Session, rng: np.random.Generator) -> Disturbance:
    """Wait until the training has begun, send a signal to a rank or to the launcher, and check how the session ends."""
    wait_for(lambda: session.is_training or session.process.poll() is not None, TIMEOUT)
    targets = {"paac launch": session.pid} | {f"rank {rank}": pid for rank, pid in enumerate(session.ranks())}
    name, number = rng.choice(list(targets)), list(_STOPS)[rng.integers(len(_STOPS))]
    os.kill(targets[name], number)
    return check_stop(session, number, _STOPS[number], f"{number.name} to {name}", was_training=True)
