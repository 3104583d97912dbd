"""Trainings that are struck at random moments and resumed, over and over, and come to what an undisturbed one does."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from chaos.sittings import Recipe, Sitting, recipe
from chaos.tally import Tally
from paac_cli.config.trust import ANY_CODE
from paac_cli.runs.checkpoint import list_checkpoints, load_checkpoint
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.training.verification import compare, read_log

_LANES = 2  # trainings at the same time
_SHOWN = 5  # of what differs
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


class Reference(NamedTuple):
    """An undisturbed training."""

    recipe: Recipe
    run: Path
    seconds: float


class _Endured(NamedTuple):
    """What all the blows of a lane came to."""

    struck: Counter[str]  #: by where the training stood
    finished: Counter[str]  #: trainings that came to their end, by recipe
    losses: list[str]


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counted.items()))


#: Strikes a training that is at work, and looks on until it has ended.
Strike = Callable[[Sitting, np.random.Generator], Struck]
#: Trains what a reference has trained to its end, with so many blows or fewer.
Way = Callable[[Reference, Path, int, np.random.Generator], list[Struck]]


def endure(what: str, way: Way, *, blows: int, seed: int, recipes: Sequence[Recipe] = RECIPES, most: int = 10) -> Tally:
    """Train in this `way`, one run after the other, until so many `blows` have fallen; not more than `most` to a run.

    Two lanes go side by side, each with the recipes in turn. Every run comes to its end, and must come to the same as
    an undisturbed one. what: is tried, of the tally.
    """
    begin = time.monotonic()
    with TemporaryDirectory(prefix="paac-chaos-") as place, ThreadPoolExecutor(_LANES) as lanes:
        references = list(lanes.map(lambda one: _undisturbed(one, Path(place)), recipes))

        def endure_in(lane: int) -> _Endured:
            share, first = blows // _LANES + (lane < blows % _LANES), lane % len(references)
            in_turn = itertools.cycle([*references[first:], *references[:first]])
            return _lane(way, share, most, in_turn, Path(place) / str(lane), np.random.default_rng([seed, lane]))

        found = list(lanes.map(endure_in, range(_LANES)))
    struck: Counter[str] = sum((one.struck for one in found), Counter())
    finished: Counter[str] = sum((one.finished for one in found), Counter())
    losses = [loss for one in found for loss in one.losses]
    told = f"{_counts(struck)}; trainings that came to their end: {_counts(finished)}"
    return Tally(what, struck.total(), len(losses), time.monotonic() - begin, (told, *losses))


def struck_and_resumed(strike: Strike) -> Way:
    """Each blow comes at a random moment of a sitting and ends it; the next sitting goes on."""

    def train(reference: Reference, run: Path, most: int, rng: np.random.Generator) -> list[Struck]:
        struck: list[Struck] = []
        while True:
            with Sitting(reference.recipe, run) as sitting:
                if len(struck) == most or sitting.wait(rng.uniform(0.0, reference.seconds)) is not None:
                    come_to_its_end(sitting)
                    return struck
                struck.append(strike(sitting, rng))

    return train


def differences(run: Path, reference: Path) -> list[str]:
    """Name of all that two finished runs do not have in common: arrays, counters, logged rows."""
    newest = (list_checkpoints(RunDirectory(one).checkpoints)[0] for one in (run, reference))
    ours, theirs = (load_checkpoint(path, trusted=ANY_CODE) for path in newest)
    found = [f"{one.what} {name}" for one in compare(theirs, ours) for name in one.different]
    logs = [read_log(RunDirectory(one).metrics_csv) for one in (run, reference)]
    return found + (["metrics.csv"] if logs[0] != logs[1] else [])


def _undisturbed(recipe: Recipe, place: Path) -> Reference:
    run = place / recipe.name.replace(" ", "-")
    begin = time.monotonic()
    with Sitting(recipe, run) as sitting:
        come_to_its_end(sitting)
    return Reference(recipe, run, time.monotonic() - begin)


def come_to_its_end(sitting: Sitting) -> None:
    """Wait for it. Raises RuntimeError if it ends otherwise, or takes too long."""
    code = sitting.wait(_PATIENCE)
    if code != 0:
        raise RuntimeError(f"a training has {'not ended' if code is None else f'exit code {code}'}:\n{sitting.said}")


def _lane(
    way: Way, blows: int, most: int, references: Iterator[Reference], place: Path, rng: np.random.Generator
) -> _Endured:
    place.mkdir()
    endured = _Endured(Counter(), Counter(), [])
    while (left := blows - endured.struck.total()) > 0:
        reference, run = next(references), place / f"run{endured.finished.total()}"
        struck = way(reference, run, min(left, most), rng)
        losses = [loss for one in struck for loss in one.losses]
        if other := differences(run, reference.run):
            losses.append(f"{len(other)} differ in the end: {', '.join(other[:_SHOWN])}")
        endured = _Endured(
            endured.struck + Counter(one.when for one in struck),
            endured.finished + Counter([reference.recipe.name]),
            endured.losses + [f"{reference.recipe.name}, {run.name} of lane {place.name}: {loss}" for loss in losses],
        )
    return endured
