"""Trains in misbehaving environments, evaluates and records them. Each case has the outcome that a user should see."""

from chaos.result import TrialResult
from chaos.zoo import (  # noqa: F401 (each module adds its cases)
    children,
    constructors,
    episodes,
    infos,
    outputs,
    printing,
    process_state,
    rendering,
    spaces,
    steps,
)
from chaos.zoo.runner import run_zoo
from chaos.zoo.script_file import read_cases
from chaos.zoo.toy import ENV_CASES

CASES = (*ENV_CASES, *read_cases("registration.sh"))


def run(*, seed: int = 1, cases: str = "") -> TrialResult:
    """Run `cases`, names separated by commas; all if empty. seed: unused, all cases are fixed."""
    return run_zoo(
        "misbehaving environments: the expected exit code and message, no traceback of paac, nothing left",
        CASES,
        cases,
    )
