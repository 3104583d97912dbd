"""Sends stop signals to runs at random moments. Each must save, exit with the expected code and resume exactly."""

import signal
from collections.abc import Sequence

import numpy as np

from chaos.disturbed_runs import RECIPES, Disturbance, disturb_runs, interrupt_and_resume
from chaos.result import TrialResult
from chaos.session import Recipe, Session
from paac_cli.config.load import read_config
from paac_cli.runs.checkpoint_names import list_checkpoints
from paac_cli.runs.manifest import read_manifest
from paac_cli.runs.run_directory import CONFIG, RunDirectory
from paac_cli.training.verification import read_metrics

_SAVE_TIMEOUT = 10.0  # seconds that a run may take to save and exit
_CLEANUP_TIMEOUT = 2.0  # seconds after which no process and no shared memory of the run may be left
#: Signal, whether it goes to the whole process group, expected exit code.
STOPS = (
    (signal.SIGINT, True, 130),
    (signal.SIGINT, False, 130),
    (signal.SIGTERM, True, 143),
    (signal.SIGTERM, False, 143),
    (signal.SIGHUP, True, 129),
    (signal.SIGUSR1, True, 75),
    (signal.SIGUSR1, False, 75),
)


def run(*, seed: int = 1, stops: int = 50, recipes: Sequence[Recipe] = RECIPES) -> TrialResult:
    """Send `stops` signals of all kinds, at any moment between start and end of a session, and resume each run."""
    return disturb_runs(
        f"stop signals, each followed by a resume: saved within {_SAVE_TIMEOUT:g} s, expected exit code, nothing left "
        "behind, the same result bit for bit",
        interrupt_and_resume(stop),
        disturbances=stops,
        seed=seed,
        recipes=recipes,
    )


def stop(session: Session, rng: np.random.Generator) -> Disturbance:
    """Send one of `STOPS`, wait for the end, and check it."""
    number, to_group, expected = STOPS[rng.integers(len(STOPS))]
    was_training = session.is_training
    session.send(number, to_group=to_group)
    description = f"{number.name}{' to the group' if to_group else ''}"
    return check_stop(session, number, expected, description, was_training=was_training)


def check_stop(
    session: Session, number: signal.Signals, expected: int, description: str, *, was_training: bool
) -> Disturbance:
    """Wait for the end of a session that has got signal `number`, and check it. expected: exit code."""
    code = session.wait(_SAVE_TIMEOUT)
    failures = session.leftovers(_CLEANUP_TIMEOUT) if code is not None else [f"running after {_SAVE_TIMEOUT:g} s"]
    if code is not None and _is_finished(session):
        return Disturbance(f"{number.name} after the last step", failures)
    description += " during training" if was_training else " before training"
    # Before training begins there is nothing to save, and the default action of the signal may end the process.
    if code is not None and code not in ((expected,) if was_training else (expected, -number)):
        failures.append(f"exit code {code}, expected {expected}")
    if was_training and not failures and _saved_steps(session) < _logged_steps(session):
        failures.append(f"saved at step {_saved_steps(session):,}, logged until {_logged_steps(session):,}")
    return Disturbance(description, [f"{description}: {failure}" for failure in failures])


def _is_finished(session: Session) -> bool:
    run = RunDirectory(session.run_dir)
    return run.is_run and _saved_steps(session) >= read_config(run.path / CONFIG).training.total_steps


def _saved_steps(session: Session) -> int:
    paths = list_checkpoints(RunDirectory(session.run_dir).checkpoints)
    return read_manifest(paths[0]).counters.steps if paths else 0


def _logged_steps(session: Session) -> int:
    log = read_metrics(RunDirectory(session.run_dir).metrics_csv)
    return log[-1][0] if log else 0
