"""Events of a run, as typed values. `str(event)` is the text that a person reads; code never parses it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from paac_cli.text import one_line


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
        return f"Approximate: {'; '.join(map(one_line, self.reasons))}"


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


@dataclass(frozen=True)
class LongGame:
    """A game is so long that the log of its actions is a burden. Each `WorkerPool` reports its first one."""

    env: int
    steps: int

    def __str__(self) -> str:
        return (
            f"Warning: environment {self.env} has played {self.steps:,} steps of one game. Every checkpoint holds all "
            "actions of the current games, and a run that resumes, or a worker that is restarted, replays them all; "
            "let the environment truncate its games, e.g. with --set env.kwargs.max_episode_steps=10000"
        )


@dataclass(frozen=True)
class CloseFailed:
    """`close` of environments raised an error, or hung and was interrupted."""

    problems: dict[int, str]  #: index of an environment -> what went wrong, e.g. "raised ValueError: no lock"

    def __str__(self) -> str:
        parts = []
        for text in dict.fromkeys(self.problems.values()):
            envs = sorted(env for env, other in self.problems.items() if other == text)
            parts.append(f"of environment{'s' if len(envs) > 1 else ''} {', '.join(map(str, envs))} {text}")
        return f"Warning: close() {'; close() '.join(parts)}"


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint was saved."""

    steps: int
    score: float | None  #: mean return of the latest games, which ranks checkpoints; None before there are enough
    is_best: bool  #: whether it has the best policy so far

    def __str__(self) -> str:
        score = (
            ""
            if self.score is None
            else f", mean return {self.score:.2f}{', the best checkpoint so far' * self.is_best}"
        )
        return f"Saved a checkpoint at step {self.steps:,}{score}"


@dataclass(frozen=True)
class LearningStalled:
    """The metrics show a sign that learning has stalled. The run continues, and the sign may be wrong."""

    sign: Literal["value_loss", "clipped_rewards", "entropy", "returns"]
    symptom: str  #: what the metrics show, with its numbers
    advice: str  #: what to try, with the config key

    def __str__(self) -> str:
        return f"Hint: {self.symptom}; {self.advice}"


Event = (
    Info
    | Alert
    | Approximate
    | ReplayDiverged
    | WorkerRestarted
    | RestartFailed
    | LongGame
    | CloseFailed
    | CheckpointSaved
    | LearningStalled
)
Routine = Info | CheckpointSaved | LearningStalled  #: events that are not warnings
Log = Callable[[Event], None]  #: takes each event as it happens
Warn = Callable[[str], None]  #: takes the text of a warning, before a run has an event log
