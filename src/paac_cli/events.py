"""Events of a run, as typed values. `str(event)` is the text that a person reads; code never parses it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Info:
    """A message about normal progress."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Alert:
    """A warning: something may need the user's attention."""

    text: str

    def __str__(self) -> str:
        return f"Warning: {self.text}"


@dataclass(frozen=True)
class Approximate:
    """From here on the run is not promised to be bit-for-bit reproducible."""

    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"Approximate: {'; '.join(self.reasons)}"


@dataclass(frozen=True)
class ReplayDiverged:
    """Environments gave other observations or rewards when their games were replayed; these games are truncated."""

    envs: tuple[int, ...]  #: indices

    def __str__(self) -> str:
        return (
            f"Approximate: environments {list(self.envs)} diverged on replay (do they use an unseeded random "
            "generator, or has their code changed?); their current games are truncated"
        )


@dataclass(frozen=True)
class WorkerFailure:
    """How a worker process failed, and what it was doing."""

    worker: str  #: e.g. "worker 1 (environments 2-3)"
    cause: str  #: e.g. "killed by SIGKILL", "hung for 60 s"
    activity: str  #: e.g. "in step 17 of game 3 (seed 123) of environment 2"
    stacks: str = ""  #: stack traces of its threads; incomplete or empty if it could not write them
    advice: str = ""  #: what the user may do, e.g. "raise sampling.worker_timeout"

    def __str__(self) -> str:
        return f"{self.worker}: {self.details}"

    @property
    def details(self) -> str:
        """All but the worker."""
        advice = f"; {self.advice}" if self.advice else ""
        return "\n".join(filter(None, (f"{self.cause} {self.activity}{advice}", self.stacks)))


@dataclass(frozen=True)
class WorkerRestarted:
    """A worker was replaced, its games were replayed, and the run continues unchanged."""

    failure: WorkerFailure
    seconds: float  #: duration of the restart, including the replay

    def __str__(self) -> str:
        return f"Restarted {self.failure.worker} in {self.seconds:.1f} s: {self.failure.details}"


@dataclass(frozen=True)
class RestartFailed:
    """A restarted worker failed before it had replayed its games; another restart follows."""

    failure: WorkerFailure

    def __str__(self) -> str:
        return f"Restarting again: {self.failure}"


Event = Info | Alert | Approximate | ReplayDiverged | WorkerRestarted | RestartFailed
Log = Callable[[Event], None]  #: takes each event as it happens
Warn = Callable[[str], None]  #: takes the text of a warning, before a run has an event log
