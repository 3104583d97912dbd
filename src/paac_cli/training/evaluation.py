"""Plays whole games with fixed weights and records their raw scores."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Agent
from paac_cli.config.schema import EnvConfig, SamplingConfig
from paac_cli.envs.env import FrameHook
from paac_cli.envs.make import make_env
from paac_cli.events import Log
from paac_cli.learning.predictor import Prediction
from paac_cli.sampling.pool import WorkerPool
from paac_cli.seeding import episode_seed
from paac_cli.spec import EnvSpec
from paac_cli.timestep import INFO

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


class _PredictionLog:
    """The predictions in one row since its last scored game, packed as bytes: a game may have 27,000 steps."""

    def __init__(self) -> None:
        self._packed = [bytearray() for _ in Prediction._fields]

    def add(self, prediction: Prediction, row: int) -> None:
        for packed, field in zip(self._packed, prediction, strict=True):
            packed += field[row].tobytes()

    def last(self, length: int, like: Prediction) -> tuple[NDArray, ...]:
        """The last L = `length` actions [L, ...], values [L] and probabilities [L, A], with the dtypes of `like`.

        Earlier predictions belong to a game without a score: it was truncated because it diverged on replay.
        """
        steps = len(self._packed[1]) // like.value.itemsize
        return tuple(
            np.frombuffer(bytes(packed), field.dtype).reshape(steps, *field.shape[1:])[steps - length :]
            for packed, field in zip(self._packed, like, strict=True)
        )


def evaluation_pool(
    config: EnvConfig, spec: EnvSpec, *, episodes: int, seed: int, log: Log, info_keys: tuple[str, ...] = ()
) -> WorkerPool:
    """A pool for an evaluation of `episodes` games; a context manager. info_keys: numbers of `info` to report."""
    sampling = SamplingConfig(num_envs=min(BATCH, episodes))
    return WorkerPool(config, spec, sampling, rollout_length=1, seed=seed, log=log, info_keys=info_keys)


def play(
    agent: Agent,
    pool: WorkerPool,
    *,
    episodes: int,
    seed: int,
    greedy: bool,
    on_game: Callable[[], None] = lambda: None,
) -> list[EvaluatedGame]:
    """Play `episodes` games on a pool of `evaluation_pool`; returns them in a fixed order.

    Row `n` of `N` plays games n, n + N, n + 2N, ... The number of games per row is fixed in advance; otherwise short
    games would be overrepresented. on_game: called after each game.
    """
    remaining = np.array([len(range(row, episodes, pool.num_envs)) for row in range(pool.num_envs)])
    step, clock = pool.reset(), 0
    obs = np.zeros((BATCH, *step.obs.shape[1:]), step.obs.dtype)
    logs = [_PredictionLog() for _ in remaining]
    info_keys = [name.removeprefix(INFO) for name in step.episodes.dtype.names or () if name.startswith(INFO)]
    games: list[EvaluatedGame] = []
    while remaining.any():
        obs[: pool.num_envs] = step.obs
        prediction = agent.predict(obs, seed=seed, step=clock, greedy=greedy)
        for row in np.flatnonzero(remaining):
            logs[row].add(prediction, int(row))
        step = pool.step(prediction.action[: pool.num_envs], active=remaining > 0)
        clock += 1
        for row, episode, score, length, *info in step.episodes.tolist():
            numbers = {key: number for key, number in zip(info_keys, info, strict=True) if not math.isnan(number)}
            actions, values, probabilities = logs[row].last(length, prediction)
            games.append(EvaluatedGame(score, length, row, episode, actions, values, probabilities, numbers))
            logs[row] = _PredictionLog()
            remaining[row] -= 1
            on_game()
    return sorted(games, key=lambda game: (game.episode, game.env))


def replay(
    config: EnvConfig, game: EvaluatedGame, seed: int, on_frame: FrameHook, on_step: Callable[[int, float], None]
) -> float:
    """Replay `game` in this process, for a video; returns its score.

    on_frame: called with every frame; on_step: called with (index, score so far) before every step.
    """
    env = make_env(config, on_frame)
    try:
        obs = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
        on_step(0, 0.0)
        env.new_game(episode_seed(seed, game.env, game.episode), obs)
        for index, action in enumerate(game.actions):
            on_step(index, env.score)
            env.step(action, obs)
        return env.score
    finally:
        env.close()
