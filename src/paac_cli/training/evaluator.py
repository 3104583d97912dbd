"""Evaluates the policy while a run trains: `training.evaluate_every`.

Each evaluation plays the same games, with seeds of their own, so that successive evaluations are comparable. Training
waits meanwhile, and none of its bits changes.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from paac_cli.algorithms.agent import Agent
from paac_cli.config.schema import RunConfig
from paac_cli.envs.placeholders import Copy
from paac_cli.errors import StoppedError
from paac_cli.events import Log
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool
from paac_cli.sampling.recovery import RestartBudget
from paac_cli.seeding import evaluation_seed
from paac_cli.spec import EnvSpec
from paac_cli.text import counted
from paac_cli.training.evaluation import EvaluatedGame, PlayStatus, evaluation_pool, info_means, play
from paac_cli.training.ranks import Ranks

_EXCHANGE_EVERY = 1.0  # seconds between messages to ranks that wait for an evaluation


class Evaluation(NamedTuple):
    """The result of one evaluation."""

    games: list[EvaluatedGame]  #: in a fixed order; none in other ranks than the first, and if it is abandoned
    signal: int = 0  #: the stop signal for which it was abandoned; 0: it is complete

    @property
    def score(self) -> float:
        """Mean raw score of the games."""
        return float(np.mean([game.score for game in self.games]))

    @property
    def metrics(self) -> dict[str, float]:
        """Metric -> value. An info key that no game reports has no metric."""
        return {
            "eval/ep_rew_mean": self.score,
            "eval/ep_rew_std": float(np.std([game.score for game in self.games])),
            "eval/ep_len_mean": float(np.mean([game.length for game in self.games])),
            **{f"eval/{name}": mean for name, mean in info_means(self.games).items()},
        }


class Evaluator:
    """Plays the games of `training.evaluate_episodes`. Rank 0 does, and the others wait for it."""

    def __init__(self, config: RunConfig, ranks: Ranks, pool: WorkerPool | None) -> None:
        """pool: of rank 0, for the seed `evaluation_seed`; None in other ranks, or if there are no evaluations."""
        self._config, self._ranks, self._pool = config, ranks, pool

    @property
    def has_diverged(self) -> bool:
        """Whether an environment of this rank has diverged on replay, in an evaluation."""
        return self._pool is not None and self._pool.has_diverged

    @property
    def description(self) -> str:
        """What is evaluated when, human-readable."""
        training, seed = self._config.training, evaluation_seed(self._config.seed)
        every = f"{training.evaluate_every:,} steps"
        actions = "greedy" if training.evaluate_greedy else "sampled"
        return (
            f"Evaluating every {every}: {counted(training.evaluate_episodes, 'game')}, actions {actions}, seed {seed}"
        )

    def evaluate(self, agent: Agent, signal: Callable[[], int]) -> Evaluation:
        """Play with the policy that `agent` has now; nothing of `agent` changes.

        All ranks must call it. signal: the number of the stop signal that this process has got; 0: none. A signal of
        any rank abandons the evaluation in all of them. Without `training.evaluate_every` nothing is played.

        Raises WorkerError as `WorkerPool.step` does.
        """
        if self._config.training.evaluate_every is None:
            return Evaluation([])
        if self._pool is None:
            return self._wait_for_first(signal)
        training, found, next_exchange = self._config.training, 0, 0.0

        def check(status: PlayStatus) -> None:
            nonlocal found, next_exchange
            if (now := time.monotonic()) >= next_exchange:
                next_exchange = now + (_EXCHANGE_EVERY if self._ranks.size > 1 else 0.0)
                found, _ = self._exchange(signal(), is_done=False)
                if found:
                    raise StoppedError("the stop did not wait for the end of the evaluation")

        try:
            games = play(
                agent,
                self._pool,
                episodes=training.evaluate_episodes,
                seed=evaluation_seed(self._config.seed),
                greedy=training.evaluate_greedy,
                on_step=check,
            )
        except StoppedError:  # also if a worker does not answer after a stop signal
            return Evaluation([], found or signal())
        self._exchange(signal(), is_done=True)
        return Evaluation(games)

    def _wait_for_first(self, signal: Callable[[], int]) -> Evaluation:
        """Wait while rank 0 plays. It sends messages all the time, so that however long it takes, it is not late."""
        found, is_done = 0, False
        while not (found or is_done):
            found, is_done = self._exchange(signal(), is_done=False)
        return Evaluation([], 0 if is_done else found)

    def _exchange(self, signal: int, *, is_done: bool) -> tuple[int, bool]:
        """The stop signal of any rank, 0 if there is none, and whether rank 0 has finished the evaluation."""
        signals, done = self._ranks.stack(np.array([signal, is_done], np.int64)).T
        return int(signals.max()), bool(done.any())


@contextlib.contextmanager
def open_evaluator(
    config: RunConfig,
    spec: EnvSpec,
    workers: int,
    ranks: Ranks,
    log: Log,
    stopping: Callable[[], bool],
    budget: RestartBudget,
) -> Iterator[Evaluator]:
    """A context manager for the evaluator of a run.

    Its workers start now, and not with the first evaluation, so that what they lack is reported at once, and live until
    the end of the run, because making an environment may take long. They have other indices than those of training, for
    environments that have a port or a directory of their own.

    workers: those of this process that step environments of the training. log, stopping, budget, errors: of
    `WorkerPool`.
    """
    training, sampling = config.training, config.sampling
    if training.evaluate_every is None or not ranks.is_first:
        yield Evaluator(config, ranks, None)
    else:
        first = Copy(sampling.num_envs, workers if ranks.size == 1 else sampling.num_envs)
        seed, max_steps = evaluation_seed(config.seed), training.evaluate_max_steps
        with evaluation_pool(
            Games(config.env, seed, config.info_keys, max_steps, first),
            spec,
            sampling,
            episodes=training.evaluate_episodes,
            num_envs=sampling.num_envs,
            log=log,
            stopping=stopping,
            budget=budget,
        ) as pool:
            yield Evaluator(config, ranks, pool)
