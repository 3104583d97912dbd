"""Trainings that are struck at random moments and resumed, over and over, and come to what an undisturbed one does."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from chaos.sittings import Recipe, Sitting, recipe
from paac_cli.training.checkpoint import list_checkpoints, load_checkpoint
from paac_cli.training.run_directory import RunDirectory
from paac_cli.training.verification import compare, read_log

_LANES = 2  # trainings at the same time
_BLOWS_TO_A_RUN = 10  # after which it is left alone, so that it comes to its end
_PATIENCE = 300.0  # seconds that a training may take which nobody disturbs

#: They save so often that many moments lie within a save.
CARTPOLE = recipe(
    "PAAC on CartPole", "cartpole", sampling__num_envs=4, sampling__num_workers=2, algorithm__num_steps=16,
    training__total_steps=16_000, training__log_every=64, training__checkpoint_every=64,
)  # fmt: skip
RECIPES = (
    CARTPOLE,
    recipe(
        "DQN on CartPole", "dqn/cartpole", sampling__num_workers=2, algorithm__learning_starts=1_000,
        training__total_steps=6_000, training__log_every=100, training__checkpoint_every=200,
    ),
    recipe(
        "PPO on Pendulum", "ppo/pendulum", sampling__num_workers=2,
        training__total_steps=80_000, training__log_every=1, training__checkpoint_every=1,
    ),
    recipe(
        "PAAC on Pong", "pong", sampling__num_envs=8, sampling__num_workers=2,
        training__total_steps=4_000, training__log_every=40, training__checkpoint_every=200,
    ),
)  # fmt: skip


class Struck(NamedTuple):
    """What a blow did."""

    when: str  #: where the training stood, in words
    losses: list[str]  #: what should not have happened


#: Strikes a training that is at work, and looks on until it has ended.
Strike = Callable[[Sitting, np.random.Generator], Struck]


class Reference(NamedTuple):
    """An undisturbed training."""

    recipe: Recipe
    run: Path
    seconds: float


class Endured(NamedTuple):
    """What all the blows came to."""

    struck: Counter[str]  #: by where the training stood
    finished: int  #: trainings that came to their end
    losses: list[str]


def endure(strike: Strike, *, blows: int, seed: int, recipes: Sequence[Recipe] = RECIPES) -> Endured:
    """Train until so many `blows` have fallen, each at a random moment of a sitting; every training goes on to its end.

    Two lanes go side by side, each with the recipes in turn.
    """
    with TemporaryDirectory(prefix="paac-chaos-") as place, ThreadPoolExecutor(_LANES) as lanes:
        references = list(lanes.map(lambda one: _undisturbed(one, Path(place)), recipes))
        shares = [blows // _LANES + (lane < blows % _LANES) for lane in range(_LANES)]

        def endure_in(lane: int) -> Endured:
            in_turn = [*references[lane % len(references) :], *references[: lane % len(references)]]
            return _lane(strike, shares[lane], in_turn, Path(place) / str(lane), np.random.default_rng([seed, lane]))

        found = list(lanes.map(endure_in, range(_LANES)))
    return Endured(
        sum((one.struck for one in found), Counter()),
        sum(one.finished for one in found),
        [loss for one in found for loss in one.losses],
    )


def differences(run: Path, reference: Path) -> list[str]:
    """Name of all that two finished runs do not have in common: arrays, counters, logged rows."""
    ours, theirs = (load_checkpoint(list_checkpoints(RunDirectory(one).checkpoints)[0]) for one in (run, reference))
    found = [f"{one.what} {name}" for one in compare(theirs, ours) for name in one.different]
    logs = [read_log(RunDirectory(one).metrics_csv) for one in (run, reference)]
    return found + (["metrics.csv"] if logs[0] != logs[1] else [])


def _undisturbed(what: Recipe, place: Path) -> Reference:
    run = place / what.name.replace(" ", "-")
    begin = time.monotonic()
    with Sitting(what, run) as sitting:
        if sitting.wait(_PATIENCE) != 0:
            raise RuntimeError(f"{what.name} does not train even undisturbed: {sitting.said}")
    return Reference(what, run, time.monotonic() - begin)


def _lane(
    strike: Strike, blows: int, references: Sequence[Reference], place: Path, rng: np.random.Generator
) -> Endured:
    place.mkdir()
    endured = Endured(Counter(), 0, [])
    while (left := blows - endured.struck.total()) > 0:
        reference = references[endured.finished % len(references)]
        run = place / f"run{endured.finished}"
        struck = _one_run(strike, min(left, _BLOWS_TO_A_RUN), reference, run, rng)
        losses = [loss for one in struck for loss in one.losses] + differences(run, reference.run)
        endured = Endured(
            endured.struck + Counter(one.when for one in struck),
            endured.finished + 1,
            endured.losses + [f"{reference.recipe.name}, {run}: {loss}" for loss in losses],
        )
    return endured


def _one_run(strike: Strike, most: int, reference: Reference, run: Path, rng: np.random.Generator) -> list[Struck]:
    """Train to the end, struck `most` times or fewer."""
    struck: list[Struck] = []
    while True:
        with Sitting(reference.recipe, run) as sitting:
            is_last = len(struck) == most
            code = sitting.wait(_PATIENCE if is_last else rng.uniform(0.0, reference.seconds))
            if code is None and not is_last:
                struck.append(strike(sitting, rng))
                continue
            if code != 0:
                raise RuntimeError(f"{reference.recipe.name} ended with exit code {code}:\n{sitting.said}")
            return struck
