"""Runs commands under odd conditions: foreign files, odd machines, wrong arguments, what happens during a training."""

from pathlib import Path
from tempfile import TemporaryDirectory

from chaos.result import TrialResult
from chaos.session import Session, recipe
from chaos.zoo.runner import run_zoo
from chaos.zoo.script_file import read_cases

_FILES = ("foreign_runs.sh", "places.sh", "machines.sh", "variables.sh", "commands.sh", "lives.sh")
CASES = tuple(case for file in _FILES for case in read_cases(file))
_TIMEOUT = 120.0  # seconds that the training of the finished run may take
_FINISHED = recipe(
    "a finished run", "cartpole", sampling__num_envs=2, sampling__num_workers=2, sampling__worker_timeout=4,
    algorithm__num_steps=8, training__total_steps=320, training__log_every=64, training__checkpoint_every=160,
)  # fmt: skip


def run(*, seed: int = 1, cases: str = "") -> TrialResult:
    """Run `cases`, names separated by commas; all if empty. seed: unused, all cases are fixed."""
    with TemporaryDirectory(prefix="paac-zoo-run-") as work:
        finished = Path(work) / "run"
        with Session(_FINISHED, finished) as session:
            session.wait_until_finished(_TIMEOUT)
        return run_zoo(
            "commands under odd conditions: the expected exit code and message, no traceback of paac, nothing left",
            CASES,
            cases,
            finished,
        )
