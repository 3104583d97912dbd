"""How far a run has come: counters, and the raw scores of the latest games."""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import IS_SUCCESS, StopWhen
from paac_cli.runs.arrays import Arrays
from paac_cli.runs.checkpoint import Checkpoint
from paac_cli.runs.manifest import Counters
from paac_cli.runs.metrics_csv import WINDOW
from paac_cli.timestep import INFO

_METRICS = "metrics/"  # prefix of the names of metrics in a checkpoint


def window_size(stop_when: StopWhen | None) -> int:
    """Number of games whose scores are kept, for reports and for `stop_when`."""
    return max(WINDOW, stop_when.episodes if stop_when else 0)


def metric_of(info_key: str) -> str:
    """Name of the metric for a key of `info`. The success rate has the name that Stable-Baselines3 gives it."""
    return "rollout/success_rate" if info_key == IS_SUCCESS else f"{INFO}{info_key}"


class Progress:
    """Counts steps, updates and games, and keeps the scores that `stop_when` and reports need."""

    def __init__(
        self, stop_when: StopWhen | None, checkpoint: Checkpoint | None = None, info_keys: Sequence[str] = ()
    ) -> None:
        """At the start of a run, or at `checkpoint`. info_keys: as for the pool."""
        counters = checkpoint.counters if checkpoint else Counters()
        self._stop_when = stop_when
        self.steps, self.updates = counters.steps, counters.updates
        self.episodes, self.seconds = counters.episodes, counters.seconds
        self.steps_of_rollout = 0  #: agent steps of the rollout that is being played, which `steps` does not count
        window = window_size(stop_when)
        latest = checkpoint.progress if checkpoint else {}
        self.metrics = {  #: of the latest update
            name.removeprefix(_METRICS): float(value) for name, value in latest.items() if name.startswith(_METRICS)
        }
        self._scores: deque[float] = deque(latest["scores"].tolist() if latest else (), window)
        self._lengths: deque[int] = deque(latest["lengths"].tolist() if latest else (), window)
        unknown = [math.nan] * len(self._scores)  # games before a key was added
        self._info: dict[str, deque[float]] = {  # field of `TimeStep.episodes` -> its numbers in the same games
            name: deque(latest[name].tolist() if name in latest else unknown, window)
            for name in (f"{INFO}{key}" for key in info_keys)
        }

    def add(self, steps: int, episodes: NDArray) -> None:
        """Count agent steps of all environments, and the games that ended with them: [K] `episode_dtype`, in order."""
        self.steps += steps
        self.steps_of_rollout = 0
        self.episodes += len(episodes)
        self._scores.extend(episodes["score"].tolist())
        self._lengths.extend(episodes["length"].tolist())
        if len(episodes):
            for name, numbers in self._info.items():
                numbers.extend(episodes[name].tolist())

    @property
    def mean_return(self) -> float:
        """Mean raw score of the last `WINDOW` games, or of as many as there are; NaN before the first."""
        return float(np.mean(list(self._scores)[-WINDOW:])) if self._scores else math.nan

    @property
    def mean_length(self) -> float:
        """Mean length of the same games, in agent steps; NaN before the first."""
        return float(np.mean(list(self._lengths)[-WINDOW:])) if self._lengths else math.nan

    @property
    def info_means(self) -> dict[str, float]:
        """Metric -> mean over the last `WINDOW` games that report a number for it; no metric if none of them does."""
        means = {}
        for name, numbers in self._info.items():
            known = [number for number in list(numbers)[-WINDOW:] if not math.isnan(number)]
            if known:
                means[metric_of(name.removeprefix(INFO))] = float(np.mean(known))
        return means

    @property
    def score(self) -> float | None:
        """The mean return once `WINDOW` games are finished, else None. It ranks checkpoints."""
        return self.mean_return if len(self._scores) >= WINDOW else None

    @property
    def goal_reached(self) -> bool:
        """Whether the mean return of the latest games has reached `stop_when`."""
        goal = self._stop_when
        if goal is None or len(self._scores) < goal.episodes:
            return False
        return float(np.mean(list(self._scores)[-goal.episodes :])) >= goal.mean_return

    def is_finished(self, total_steps: int) -> bool:
        """Whether the run has reached its end: `total_steps`, or its goal."""
        return self.steps >= total_steps or self.goal_reached

    @property
    def counters(self) -> Counters:
        return Counters(steps=self.steps, updates=self.updates, episodes=self.episodes, seconds=self.seconds)

    def to_arrays(self) -> Arrays:
        return {
            "scores": np.array(self._scores, np.float64),
            "lengths": np.array(self._lengths, np.int64),
            **{name: np.array(numbers) for name, numbers in self._info.items() if not np.isnan(numbers).all()},
            **{f"{_METRICS}{name}": np.array(value) for name, value in self.metrics.items()},
        }
