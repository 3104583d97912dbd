"""Replays a game in a process of its own and gives its frames."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import make_env
from paac_cli.envs.placeholders import FIRST_COPY, Copy
from paac_cli.envs.rendering import FrameMerger
from paac_cli.sampling.isolated import isolated


class ReplayedStep(NamedTuple):
    """One step of a replayed game; or, as the first one, its reset, with the index of the first step."""

    step: int  #: index
    frames: list[NDArray[np.uint8]]  #: rendered during the step, merged, each [height, width, 3] RGB
    score_before: float
    score: float  #: after the step
    obs: NDArray  #: [*obs_shape] before the step; that of the reset is the one before step 0


def replay_frames(
    config: EnvConfig,
    actions: NDArray,
    seed: np.random.SeedSequence,
    timeout: float,
    *,
    copy: Copy = FIRST_COPY,
    group: int = 1,
) -> Iterator[ReplayedStep]:
    """Replay `actions` [L, ...] of the game with this seed: L + 1 values. timeout: seconds that one of them may take.

    copy: whose placeholders the environment has; environments that run at the same time need different ones.
    group: number of rendered frames that are merged to one. It belongs to the step with the last of them.

    Raises ChildFailedError if the process dies or hangs, WorkerError with the traceback if the environment raises, and
    VideoError if it renders no RGB images.
    """
    with isolated(_replay, config, actions, seed, copy, group, env_config=config) as run:
        yield from run.values(timeout)


def _replay(
    config: EnvConfig, actions: NDArray, seed: np.random.SeedSequence, copy: Copy, group: int
) -> Iterator[ReplayedStep]:
    frames = FrameMerger(group)
    env = make_env(config, frames.add, copy=copy)
    obs = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(seed, obs)
    yield ReplayedStep(0, frames.take(), 0.0, env.score, obs)
    for index, action in enumerate(actions):
        score_before, before = env.score, obs.copy()
        env.step(action, obs)
        yield ReplayedStep(index, frames.take(is_last=index == len(actions) - 1), score_before, env.score, before)
    env.close()
