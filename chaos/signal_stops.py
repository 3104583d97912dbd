"""Signals that ask a training to stop, at random moments: it saves, says so by its exit code, and goes on exactly."""

import signal
from collections.abc import Sequence

import numpy as np

from chaos.endurance import RECIPES, Struck, endure, struck_and_resumed
from chaos.sittings import Recipe, Sitting
from chaos.tally import Tally
from paac_cli.config.load import read_config
from paac_cli.runs.checkpoint import list_checkpoints, read_manifest
from paac_cli.runs.run_directory import CONFIG, RunDirectory
from paac_cli.training.verification import read_log

_SAVED = 10.0  # seconds that a training has to save and to leave
_GONE = 2.0  # seconds after which nothing may be left of it
#: Signal, whether it goes to the whole group, exit code.
STOPS = (
    (signal.SIGINT, True, 130),
    (signal.SIGINT, False, 130),
    (signal.SIGTERM, True, 143),
    (signal.SIGTERM, False, 143),
    (signal.SIGHUP, True, 129),
    (signal.SIGUSR1, True, 75),
    (signal.SIGUSR1, False, 75),
)


def run(*, seed: int = 1, stops: int = 50, recipes: Sequence[Recipe] = RECIPES) -> Tally:
    """`stops` signals of all kinds, anywhere between the start of a training and its end, each resumed."""
    return endure(
        "signals to stop, each resumed: saved within 10 s, exit code, nothing left, the same bits in the end",
        struck_and_resumed(stop),
        blows=stops,
        seed=seed,
        recipes=recipes,
    )


def stop(sitting: Sitting, rng: np.random.Generator) -> Struck:
    """Send one of `STOPS`, and see what becomes of it."""
    number, to_all, wanted = STOPS[rng.integers(len(STOPS))]
    has_begun = sitting.has_begun
    sitting.send(number, to_all=to_all)
    code = sitting.wait(_SAVED)
    told = f"{number.name}{' to all' if to_all else ''} {'while it trained' if has_begun else 'before it trained'}"
    losses = sitting.leftovers(_GONE) if code is not None else [f"not gone within {_SAVED:g} s"]
    if code is not None and _is_done(sitting):
        return Struck(f"{number.name} too late", losses)
    # Before a training has begun to listen there is nothing to save, and the signal may end it by itself.
    if code is not None and code not in ((wanted,) if has_begun else (wanted, -number)):
        losses.append(f"exit code {code}")
    if has_begun and not losses and _saved(sitting) < _logged(sitting):
        losses.append(f"saved at step {_saved(sitting):,}, logged until {_logged(sitting):,}")
    return Struck(told, [f"{told}: {loss}" for loss in losses])


def _is_done(sitting: Sitting) -> bool:
    run = RunDirectory(sitting.run)
    return run.is_run and _saved(sitting) >= read_config(run.path / CONFIG).training.total_steps


def _saved(sitting: Sitting) -> int:
    paths = list_checkpoints(RunDirectory(sitting.run).checkpoints)
    return read_manifest(paths[0]).counters.steps if paths else 0


def _logged(sitting: Sitting) -> int:
    log = read_log(RunDirectory(sitting.run).metrics_csv)
    return log[-1][0] if log else 0
