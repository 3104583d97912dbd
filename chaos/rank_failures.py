"""Kills and stops ranks at random moments of a run. All must be started again, and the result must not change."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chaos.disturbed_runs import TIMEOUT, Disturbance, Reference, disturb_runs
from chaos.result import TrialResult
from chaos.session import Recipe, Session, recipe, wait_for

_SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP)
_MEAN_PAUSE = 6.0  # seconds between the start of all ranks and the next signal: they need about five to begin
_RESTART_TIMEOUT = 60.0  # seconds within which all ranks must have been started again
_MAX_SIGNALS_PER_RUN = 5

_NUM_RANKS = 2
_LAUNCHER = ("launch", "--ranks", str(_NUM_RANKS), "--max-restarts", "1000", "--")
RECIPES = tuple(
    recipe(
        f"{algorithm} on CartPole in 2 ranks", preset, sampling__num_envs=5, algorithm__num_steps=16,
        training__total_steps=16_000, training__log_every=80, training__checkpoint_every=800,
    )._replace(launcher=_LAUNCHER)
    for algorithm, preset in (("PAAC", "cartpole"), ("PPO", "ppo/cartpole"))
)  # fmt: skip


def run(*, seed: int = 1, failures: int = 40, recipes: Sequence[Recipe] = RECIPES) -> TrialResult:
    """Send `failures` signals to ranks, at any moment: while they start, train or save."""
    return disturb_runs(
        f"ranks killed or stopped: named, all started again within {_RESTART_TIMEOUT:g} s, no process left, the same "
        "result bit for bit",
        _train_and_disturb_ranks,
        disturbances=failures,
        seed=seed,
        recipes=recipes,
        max_per_run=_MAX_SIGNALS_PER_RUN,
    )


def _train_and_disturb_ranks(
    reference: Reference, run_dir: Path, limit: int, rng: np.random.Generator
) -> list[Disturbance]:
    """Train in one session, and send up to `limit` signals to its ranks."""
    disturbances: list[Disturbance] = []
    with Session(reference.recipe, run_dir) as session:
        while len(disturbances) < limit and session.wait(rng.exponential(_MEAN_PAUSE)) is None:
            if len(ranks := session.ranks()) == _NUM_RANKS:
                rank, number = int(rng.integers(len(ranks))), _SIGNALS[rng.integers(len(_SIGNALS))]
                disturbances.append(_disturb(session, ranks, rank, number))
        session.wait_until_finished(TIMEOUT)
        if disturbances:
            disturbances[-1].failures.extend(session.leftovers(2.0))
    return disturbances


def _disturb(session: Session, ranks: list[int], rank: int, number: signal.Signals) -> Disturbance:
    """Send a signal to one rank and wait until all have been started again."""
    reported, begin = session.errors.count("All ranks start again"), time.monotonic()
    os.kill(ranks[rank], number)
    wait_for(lambda: session.process.poll() is not None or not {*session.ranks()} & {*ranks}, _RESTART_TIMEOUT)
    failures = []
    if time.monotonic() - begin > _RESTART_TIMEOUT:
        failures.append(f"rank {rank} got {number.name}, and the ranks were not started again")
    wait_for(lambda: session.errors.count("All ranks start again") > reported, 1.0)
    how = "stopped" if number == signal.SIGSTOP else f"killed by {number.name}"
    if f"rank {rank} was {how}" not in session.errors:
        failures.append(f"no report says that rank {rank} was {how}")
    return Disturbance(f"{'rank 0' if rank == 0 else 'another rank'} {how}", failures)
