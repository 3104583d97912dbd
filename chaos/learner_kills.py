"""Kills the learner at random moments and resumes the run until it is finished. Its result must not change."""

import signal
from collections.abc import Sequence

import numpy as np

from chaos.disturbed_runs import RECIPES, Disturbance, disturb_runs, interrupt_and_resume
from chaos.result import TrialResult
from chaos.session import Recipe, Session

_CLEANUP_TIMEOUT = 2.0  # seconds after which no process and no shared memory of a killed run may be left


def run(*, seed: int = 1, kills: int = 100, recipes: Sequence[Recipe] = RECIPES) -> TrialResult:
    """Send SIGKILL to the learner alone, `kills` times, at any moment between start and end of a session."""
    return disturb_runs(
        f"kills of the learner, each followed by a resume: no process left after {_CLEANUP_TIMEOUT:g} s, nothing left "
        "in /dev/shm, the same result bit for bit",
        interrupt_and_resume(_kill),
        disturbances=kills,
        seed=seed,
        recipes=recipes,
    )


def _kill(session: Session, rng: np.random.Generator) -> Disturbance:
    session.send(signal.SIGKILL)
    session.wait(_CLEANUP_TIMEOUT)
    return Disturbance(_phase(session), session.leftovers(_CLEANUP_TIMEOUT))


def _phase(session: Session) -> str:
    """What the learner was doing, inferred from the files that it left."""
    if any(session.run_dir.glob("checkpoints/.partial-*")):
        return "during a save"
    if session.is_training:
        return "between saves"
    return "while resuming" if any(session.run_dir.glob("checkpoints/step_*")) else "while starting"
