"""Whole games under fixed weights, scored raw."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Agent, Prediction
from paac_cli.config.schema import EnvConfig, SamplingConfig
from paac_cli.envs.env import FrameHook
from paac_cli.envs.make import make_env
from paac_cli.sampling.pool import Tell, WorkerPool
from paac_cli.seeding import episode_seed
from paac_cli.spec import EnvSpec

#: Rows of the batch under which every game is evaluated, however many are played. The action noise of
#: a row and the rounding of a batch depend on its size alone, so game `i` is the same in any evaluation.
BATCH = 16


class Game(NamedTuple):
    """One evaluated game, with all that is needed to play it again."""

    score: float  #: raw return
    length: int  #: agent steps
    env: int  #: row in which it was played
    episode: int  #: how-manyth game of that row
    actions: NDArray  #: [L, ...]
    values: NDArray  #: [L] float32, the agent's estimate before each action
    probabilities: NDArray  #: [L, A] float32, or [L, 0] where an action is not one choice


class _Moves:
    """What was predicted in one row since its last scored game, packed: a game may have 27,000 steps."""

    def __init__(self) -> None:
        self._packed = [bytearray() for _ in Prediction._fields]

    def add(self, prediction: Prediction, row: int) -> None:
        for packed, field in zip(self._packed, prediction, strict=True):
            packed += field[row].tobytes()

    def last(self, length: int, like: Prediction) -> tuple[NDArray, ...]:
        """Actions [L, ...], values [L], probabilities [L, A] of the last L = `length`, in the dtypes of `like`.

        Before those of a game that was scored lie those of one that was cut off and was no game.
        """
        played = len(self._packed[1]) // like.value.itemsize
        return tuple(
            np.frombuffer(bytes(packed), field.dtype).reshape(played, *field.shape[1:])[played - length :]
            for packed, field in zip(self._packed, like, strict=True)
        )


def open_pool(config: EnvConfig, spec: EnvSpec, *, episodes: int, seed: int, tell: Tell) -> WorkerPool:
    """The environments for an evaluation of so many games. tell: as for any pool."""
    sampling = SamplingConfig(num_envs=min(BATCH, episodes))
    return WorkerPool(config, spec, sampling, rollout_length=1, seed=seed, tell=tell)


def play(
    agent: Agent,
    pool: WorkerPool,
    *,
    episodes: int,
    seed: int,
    greedy: bool,
    on_game: Callable[[], None] = lambda: None,
) -> list[Game]:
    """Play so many games on a pool of `open_pool`, and return them in their order.

    Of `N` rows, row `n` plays games n, n + N, n + 2N, ...: its share is fixed beforehand, so that games
    which end early are not counted more often. on_game: called after each game.
    """
    share = np.array([len(range(row, episodes, pool.num_envs)) for row in range(pool.num_envs)])
    step, clock = pool.reset(), 0
    obs = np.zeros((BATCH, *step.obs.shape[1:]), step.obs.dtype)
    moves = [_Moves() for _ in share]
    games: list[Game] = []
    while share.any():
        obs[: pool.num_envs] = step.obs
        prediction = agent.predict(obs, seed=seed, step=clock, greedy=greedy)
        for row in np.flatnonzero(share):
            moves[row].add(prediction, int(row))
        step = pool.step(prediction.action[: pool.num_envs], active=share > 0)
        clock += 1
        for row, episode, score, length in step.episodes.tolist():
            games.append(Game(score, length, row, episode, *moves[row].last(length, prediction)))
            moves[row] = _Moves()
            share[row] -= 1
            on_game()
    return sorted(games, key=lambda game: (game.episode, game.env))


def replay(
    config: EnvConfig, game: Game, seed: int, on_frame: FrameHook, on_step: Callable[[int, float], None]
) -> float:
    """Play `game` again in this process, for a film; returns its score.

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
