"""Plays whole games with fixed weights and records their raw scores."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Agent
from paac_cli.config.schema import IS_SUCCESS, SamplingConfig
from paac_cli.events import Log
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool
from paac_cli.sampling.recovery import RestartBudget
from paac_cli.spec import EnvSpec
from paac_cli.timestep import INFO, TimeStep

if TYPE_CHECKING:  # workers start before TensorFlow is loaded
    from paac_cli.learning.predictor import Prediction

#: Batch size of every evaluation, for any number of games. The action noise and the rounding of a row depend on the
#: batch size; because it is fixed, game `i` is the same in every evaluation.
BATCH = 16


class EvaluatedGame(NamedTuple):
    """One evaluated game, with everything that is needed to replay it."""

    score: float  #: raw return
    length: int  #: agent steps
    env: int  #: row in which it was played
    episode: int  #: index of the game in that row
    actions: NDArray  #: [L, ...]
    values: NDArray  #: [L] float32, the agent's value estimate before each action
    probabilities: NDArray  #: [L, A] float32, or [L, 0] if an action is not one discrete choice
    info: Mapping[str, float] = MappingProxyType({})  #: numbers of `info` in the last step, by key
    is_truncated: bool = False  #: whether it ended at `max_steps` of the pool


def info_means(games: Sequence[EvaluatedGame]) -> dict[str, float]:
    """Metric -> mean over the games that report it, for every key of their `info`."""
    means = {}
    for key in dict.fromkeys(key for game in games for key in game.info):
        name = "success_rate" if key == IS_SUCCESS else f"{INFO}{key}"
        means[name] = float(np.mean([game.info[key] for game in games if key in game.info]))
    return means


class _PredictionLog:
    """The predictions in one row since its last scored game, packed as bytes: a game may have 27,000 steps."""

    def __init__(self) -> None:
        self._packed = bytearray(), bytearray(), bytearray()  # actions, values, probabilities

    def add(self, prediction: "Prediction", row: int) -> None:
        for packed, field in zip(self._packed, _logged(prediction), strict=True):
            packed += field[row].tobytes()

    def last(self, length: int, like: "Prediction") -> tuple[NDArray, ...]:
        """The last L = `length` actions [L, ...], values [L] and probabilities [L, A], with the dtypes of `like`.

        Earlier predictions belong to a game without a score: it was truncated because it diverged on replay.
        """
        steps = len(self._packed[1]) // like.value.itemsize
        return tuple(
            np.frombuffer(bytes(packed), field.dtype).reshape(steps, *field.shape[1:])[steps - length :]
            for packed, field in zip(self._packed, _logged(like), strict=True)
        )


def _logged(prediction: "Prediction") -> tuple[NDArray, ...]:
    return prediction.action, prediction.value, prediction.probability


def evaluation_pool(
    games: Games,
    spec: EnvSpec,
    sampling: SamplingConfig,
    *,
    episodes: int,
    num_envs: int,
    log: Log,
    stopping: Callable[[], bool] = lambda: False,
    budget: RestartBudget | None = None,
) -> WorkerPool:
    """A pool for an evaluation of `episodes` games; a context manager.

    sampling: its timeouts and, at most, its workers. num_envs: environments at most, >= 1. log, stopping, budget:
    as of `WorkerPool`. None of them changes the games.
    """
    sampling = sampling.model_copy(update={"overlap": False}).for_part(min(num_envs, BATCH, episodes))
    return WorkerPool(games, spec, sampling, rollout_length=1, log=log, stopping=stopping, budget=budget)


class PlayStatus(NamedTuple):
    """How far an evaluation has come."""

    steps: int  #: of all games
    games: int  #: that have ended
    longest: int  #: steps of the longest game that has not ended


def play(
    agent: Agent,
    pool: WorkerPool,
    *,
    episodes: int,
    seed: int,
    greedy: bool,
    on_step: Callable[[PlayStatus], None] = lambda _: None,
) -> list[EvaluatedGame]:
    """Play `episodes` games on a pool of `evaluation_pool`; returns them in a fixed order.

    Row `n` of `N` plays games n, n + N, n + 2N, ..., where `N` is `BATCH`, or `episodes` if there are fewer. The number
    of games per row is fixed in advance; otherwise short games would be overrepresented. If the pool has fewer
    environments than there are rows, some rows are played after the others, and every game is the same.

    on_step: called after each step.
    """
    num_rows, rows = min(BATCH, episodes), _Rows(agent, pool, seed, greedy, on_step)
    for first in range(0, num_rows, pool.num_envs):
        some = range(first, min(first + pool.num_envs, num_rows))
        rows.play(first, [len(range(row, episodes, num_rows)) for row in some])
    return sorted(rows.games, key=lambda game: (game.episode, game.env))


class _Rows:
    """Plays the games of some rows after those of others."""

    def __init__(
        self, agent: Agent, pool: WorkerPool, seed: int, greedy: bool, on_step: Callable[[PlayStatus], None]
    ) -> None:
        self._agent, self._pool, self._on_step = agent, pool, on_step
        self._seed, self._greedy = seed, greedy
        self._steps = 0
        self.games: list[EvaluatedGame] = []

    def play(self, first: int, episodes: list[int]) -> None:
        """Play `episodes[k]` games in row `first + k`, for all k, with environment k of the pool."""
        pool, rows = self._pool, slice(first, first + len(episodes))
        step, clock = pool.reset(first_seed=first), 0
        remaining = np.array([*episodes, *[0] * (pool.num_envs - len(episodes))])
        obs = np.zeros((BATCH, *step.obs.shape[1:]), step.obs.dtype)
        actions = np.zeros((pool.num_envs, *pool.action.shape), pool.action.dtype)
        state = None  # of the recurrent cell
        logs, lengths = [_PredictionLog() for _ in remaining], np.zeros(pool.num_envs, np.int64)
        while remaining.any():
            obs[rows] = step.obs[: len(episodes)]
            prediction = self._agent.predict(obs, seed=self._seed, step=clock, greedy=self._greedy, state=state)
            state = prediction.state
            actions[: len(episodes)] = prediction.action[rows]
            active = remaining > 0
            for env in np.flatnonzero(active).tolist():
                logs[env].add(prediction, first + env)
            step = pool.step(actions, active)
            clock, lengths = clock + 1, lengths + active
            state[rows][(step.terminated | step.truncated)[: len(episodes)]] = 0.0
            self._steps += int(active.sum())
            for env, *game in step.episodes.tolist():
                evaluated = _evaluated(first + env, game, step, logs[env], prediction)
                is_limit = evaluated.length == pool.max_steps and not step.terminated[env]
                self.games.append(evaluated._replace(is_truncated=is_limit))
                logs[env], lengths[env] = _PredictionLog(), 0
                remaining[env] -= 1
            self._on_step(PlayStatus(self._steps, len(self.games), int(lengths.max())))


def _evaluated(
    row: int, game: list[Any], step: TimeStep, log: _PredictionLog, prediction: "Prediction"
) -> EvaluatedGame:
    """game: the fields of `step.episodes` after the index of the environment."""
    episode, score, length, *info = game
    keys = [name.removeprefix(INFO) for name in step.episodes.dtype.names or () if name.startswith(INFO)]
    numbers = {key: number for key, number in zip(keys, info, strict=True) if not math.isnan(number)}
    actions, values, probabilities = log.last(length, prediction)
    return EvaluatedGame(score, length, row, episode, actions, values, probabilities, numbers)
