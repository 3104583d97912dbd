"""The learner is killed at random moments and the training resumed until it is done: nothing of it may be lost."""

import signal
from collections.abc import Sequence

import numpy as np

from chaos.endurance import RECIPES, Struck, endure, struck_and_resumed
from chaos.sittings import Recipe, Sitting
from chaos.tally import Tally

_GONE = 2.0  # seconds after which nothing may be left of a killed training


def run(*, seed: int = 1, kills: int = 100, recipes: Sequence[Recipe] = RECIPES) -> Tally:
    """`kills` times SIGKILL to the learner alone, anywhere between its start and its end."""
    return endure(
        "kills of the learner, each resumed: processes gone within 2 s, nothing in /dev/shm, the same bits in the end",
        struck_and_resumed(_kill),
        blows=kills,
        seed=seed,
        recipes=recipes,
    )


def _kill(sitting: Sitting, rng: np.random.Generator) -> Struck:
    sitting.send(signal.SIGKILL)
    sitting.wait(_GONE)
    return Struck(_where(sitting), sitting.leftovers(_GONE))


def _where(sitting: Sitting) -> str:
    """Where the training stood, by what it has left."""
    if any(sitting.run.glob("checkpoints/.partial-*")):
        return "in a save"
    if sitting.has_begun:
        return "between saves"
    return "while it resumed" if any(sitting.run.glob("checkpoints/step_*")) else "while it started"
