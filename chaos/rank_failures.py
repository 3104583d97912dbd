"""Ranks fail at random moments: killed, stopped or without memory. All start again, and the result stays the same."""

import os
import resource
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chaos.disturbed_runs import TIMEOUT, Disturbance, Reference, disturb_runs
from chaos.result import TrialResult
from chaos.session import Recipe, Session, recipe, wait_for

_FAULTS = {
    "killed by SIGKILL": signal.SIGKILL,
    "killed by SIGSEGV": signal.SIGSEGV,
    "stopped": signal.SIGSTOP,
    "out of memory": None,
}
_NO_MEMORY = "bytes of memory (ulimit -v)"  # ends the message of a rank if Python notices that; otherwise it aborts
_MEAN_PAUSE = 6.0  # seconds between the start of all ranks and the next fault: they need about five to begin
_RESTART_TIMEOUT = 60.0  # seconds within which all ranks must have been started again
_MAX_FAULTS_PER_RUN = 5

_NUM_RANKS = 2
_LAUNCHER = ("launch", "--ranks", str(_NUM_RANKS), "--max-restarts", "1000", "--")
RECIPES = tuple(
    recipe(
        f"{algorithm} on CartPole in 2 ranks", preset, sampling__num_envs=5, algorithm__num_steps=16,
        training__total_steps=16_000, training__log_every=80, training__checkpoint_every=800,
    )._replace(launcher=_LAUNCHER)
    for algorithm, preset in (("PAAC", "cartpole"), ("PPO", "ppo/cartpole"))
)  # fmt: skip


def run(*, seed: int = 1, failures: int = 60, recipes: Sequence[Recipe] = RECIPES) -> TrialResult:
    """Make ranks fail `failures` times, at any moment: while they start (but for missing memory), train or save."""
    return disturb_runs(
        f"ranks killed, stopped or without memory: named, all started again within {_RESTART_TIMEOUT:g} s, no process "
        "left, the same result bit for bit",
        _train_and_disturb_ranks,
        disturbances=failures,
        seed=seed,
        recipes=recipes,
        max_per_run=_MAX_FAULTS_PER_RUN,
    )


def _train_and_disturb_ranks(
    reference: Reference, run_dir: Path, limit: int, rng: np.random.Generator
) -> list[Disturbance]:
    """Train, and make ranks fail up to `limit` times. Missing memory may end the session; the next one resumes."""
    disturbances: list[Disturbance] = []
    while True:
        with Session(reference.recipe, run_dir) as session:
            while len(disturbances) < limit and session.wait(rng.exponential(_MEAN_PAUSE)) is None:
                if len(ranks := session.ranks()) == _NUM_RANKS:
                    rank, fault = int(rng.integers(len(ranks))), list(_FAULTS)[rng.integers(len(_FAULTS))]
                    disturbances.append(_disturb(session, ranks, rank, fault))
            if session.wait(TIMEOUT) and _NO_MEMORY in session.errors:
                disturbances[-1].failures.extend(session.leftovers(2.0))
                continue
            session.wait_until_finished(TIMEOUT)
            if disturbances:
                disturbances[-1].failures.extend(session.leftovers(2.0))
            return disturbances


def _disturb(session: Session, ranks: list[int], rank: int, fault: str) -> Disturbance:
    """Make one rank fail and wait until all have been started again, or without memory until all have ended."""
    if (number := _FAULTS[fault]) is None:
        wait_for(lambda: session.is_training or session.process.poll() is not None, _RESTART_TIMEOUT)
    reported, begin = session.errors.count("All ranks start again"), time.monotonic()
    if number is not None:
        os.kill(ranks[rank], number)
    else:
        _take_memory(ranks[rank])
    wait_for(lambda: session.process.poll() is not None or not {*session.ranks()} & {*ranks}, _RESTART_TIMEOUT)
    failures = []
    if time.monotonic() - begin > _RESTART_TIMEOUT:
        failures.append(f"rank {rank}: {fault}, and the ranks were not started again")
    wait_for(lambda: session.errors.count("All ranks start again") > reported, 1.0)
    said = [f"rank {rank} was {fault}"] if number is not None else [f"rank {rank} was killed by SIGABRT", _NO_MEMORY]
    if not any(text in session.errors for text in said):
        failures.append(f"no report says that rank {rank} was {fault}")
    return Disturbance(f"{'rank 0' if rank == 0 else 'another rank'} {fault}", failures)


def _take_memory(pid: int) -> None:
    """Let a process have no more memory than it has. TensorFlow soon starts a thread, and aborts."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    size = pages * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (size, size))
