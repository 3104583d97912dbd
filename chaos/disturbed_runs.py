"""Disturbs runs at random moments, and compares each result with that of an undisturbed run."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from chaos.result import TrialResult
from chaos.session import Recipe, Session, recipe
from paac_cli.config.trust import ANY_CODE
from paac_cli.runs.checkpoint import load_checkpoint
from paac_cli.runs.checkpoint_names import list_checkpoints
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.training.verification import compare, read_metrics

_PARALLEL_RUNS = 2
_MAX_NAMES = 5  # names of differing arrays in one note
TIMEOUT = 300.0  #: seconds that an undisturbed training may take

#: They save so often that many random moments fall within a save.
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


class Disturbance(NamedTuple):
    """One disturbance of a run, and what it must not have caused."""

    description: str  #: what was done, and at which moment of the run
    failures: list[str]  #: forbidden consequences


class Reference(NamedTuple):
    """An undisturbed run."""

    recipe: Recipe
    run_dir: Path
    seconds: float  #: duration of the training


#: Disturbs a running session so that it ends, and waits for that end.
Interrupt = Callable[[Session, np.random.Generator], Disturbance]
#: (reference, run directory, limit, rng) -> disturbances, at most `limit`. Trains the recipe to its end.
TrainDisturbed = Callable[[Reference, Path, int, np.random.Generator], list[Disturbance]]


class _Outcome(NamedTuple):
    """The outcome of disturbed runs that one thread trained."""

    disturbances: Counter[str]  #: number of disturbances by description
    finished: Counter[str]  #: number of finished runs by recipe
    failures: list[str]


def disturb_runs(
    description: str,
    train: TrainDisturbed,
    *,
    disturbances: int,
    seed: int,
    recipes: Sequence[Recipe] = RECIPES,
    max_per_run: int = 10,
) -> TrialResult:
    """Train runs of all `recipes` in turn until `disturbances` have happened, at most `max_per_run` in one run.

    Two runs are trained at a time, each to its end. The result of each must equal that of an undisturbed run.
    description: of the trial.
    """
    begin = time.monotonic()
    with TemporaryDirectory(prefix="paac-chaos-") as work, ThreadPoolExecutor(_PARALLEL_RUNS) as threads:
        references = list(threads.map(lambda recipe: _train_undisturbed(recipe, Path(work)), recipes))

        def train_runs(index: int) -> _Outcome:
            count = disturbances // _PARALLEL_RUNS + (index < disturbances % _PARALLEL_RUNS)
            first = index % len(references)
            in_turn = itertools.cycle([*references[first:], *references[:first]])
            directory, rng = Path(work) / str(index), np.random.default_rng([seed, index])
            return _train_until(train, count, max_per_run, in_turn, directory, rng)

        outcomes = list(threads.map(train_runs, range(_PARALLEL_RUNS)))
    total: Counter[str] = sum((outcome.disturbances for outcome in outcomes), Counter())
    finished: Counter[str] = sum((outcome.finished for outcome in outcomes), Counter())
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    summary = f"{_counts(total)}; finished runs: {_counts(finished)}"
    return TrialResult(description, total.total(), len(failures), time.monotonic() - begin, (summary, *failures))


def interrupt_and_resume(interrupt: Interrupt) -> TrainDisturbed:
    """Train a run in several sessions: each is interrupted at a random moment, and the next one resumes the run."""

    def train(reference: Reference, run_dir: Path, limit: int, rng: np.random.Generator) -> list[Disturbance]:
        disturbances: list[Disturbance] = []
        while True:
            with Session(reference.recipe, run_dir) as session:
                if len(disturbances) == limit or session.wait(rng.uniform(0.0, reference.seconds)) is not None:
                    session.wait_until_finished(TIMEOUT)
                    return disturbances
                disturbances.append(interrupt(session, rng))

    return train


def differences(run_dir: Path, reference: Path) -> list[str]:
    """The names of all arrays, counters and files in which two finished runs differ."""
    newest = (list_checkpoints(RunDirectory(path).checkpoints)[0] for path in (run_dir, reference))
    ours, theirs = (load_checkpoint(path, trusted=ANY_CODE) for path in newest)
    found = [f"{part.what} {name}" for part in compare(theirs, ours) for name in part.different]
    logs = [read_metrics(RunDirectory(path).metrics_csv) for path in (run_dir, reference)]
    return found + (["metrics.csv"] if logs[0] != logs[1] else [])


def summarize_differences(names: Sequence[str]) -> str:
    """The number of `names`, and the first of them."""
    return f"{len(names)} differ: {', '.join(names[:_MAX_NAMES])}"


def _train_undisturbed(recipe: Recipe, directory: Path) -> Reference:
    run_dir = directory / recipe.name.replace(" ", "-")
    begin = time.monotonic()
    with Session(recipe, run_dir) as session:
        session.wait_until_finished(TIMEOUT)
    return Reference(recipe, run_dir, time.monotonic() - begin)


def _train_until(
    train: TrainDisturbed,
    count: int,
    max_per_run: int,
    references: Iterator[Reference],
    directory: Path,
    rng: np.random.Generator,
) -> _Outcome:
    """Train runs in the new `directory`, one after another, until `count` disturbances have happened."""
    directory.mkdir()
    outcome = _Outcome(Counter(), Counter(), [])
    while (left := count - outcome.disturbances.total()) > 0:
        reference, run_dir = next(references), directory / f"run{outcome.finished.total()}"
        disturbances = train(reference, run_dir, min(left, max_per_run), rng)
        failures = [failure for disturbance in disturbances for failure in disturbance.failures]
        if names := differences(run_dir, reference.run_dir):
            failures.append(f"the result differs from the undisturbed run: {summarize_differences(names)}")
        where = f"{reference.recipe.name}, {run_dir.name} of directory {directory.name}"
        outcome = _Outcome(
            outcome.disturbances + Counter(disturbance.description for disturbance in disturbances),
            outcome.finished + Counter([reference.recipe.name]),
            outcome.failures + [f"{where}: {failure}" for failure in failures],
        )
    return outcome


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counter.items()))
