"""A player and a pool that take almost no time, so that a real pool or a real agent can be measured alone."""

import itertools
from typing import Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.schema import RunConfig
from paac_cli.events import Log
from paac_cli.sampling.make import make_pool
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

_NUM_DRAWN = 1000  # random actions per environment, after which they repeat


class RandomPlayer:
    """Plays random actions, drawn beforehand unless some are illegal, and learns nothing."""

    def __init__(self, spec: EnvSpec, num_envs: int, seed: int) -> None:
        self._spec, self._rng = spec, np.random.default_rng(seed)
        self._actions = itertools.cycle(spec.action.draw(self._rng, _NUM_DRAWN, num_envs))

    def act(self, step: TimeStep) -> NDArray:
        """Random actions [N, ...]."""
        if self._spec.has_mask:
            return self._spec.draw_actions(self._rng, step.obs)
        return next(self._actions)[step.envs]

    def learn(self, step: TimeStep) -> None:
        """Learns nothing."""


class RecordedPool:
    """Repeats one recorded rollout, from the shared memory where the workers of a real pool wrote it."""

    busy = np.zeros(1)  #: [1] float64: no worker is ever busy

    def __init__(self, steps: list[TimeStep]) -> None:
        """steps: one rollout, slots 1 to T."""
        self.latest = steps[-1]._replace(slot=0)
        self._steps = itertools.cycle(steps)

    @classmethod
    def record(cls, config: RunConfig, spec: EnvSpec, log: Log) -> Self:
        """Play and record the first rollout of `config` with random actions. Its workers end before this returns."""
        player = RandomPlayer(spec, config.sampling.num_envs, config.seed)
        with make_pool(config, spec, log) as pool:
            step = pool.reset()
            return cls([step := pool.step(player.act(step)) for _ in range(config.algorithm.rollout_length)])

    def reset(self) -> TimeStep:
        """The latest step. Does not rewind the recording."""
        return self.latest

    def step(self, actions: NDArray) -> TimeStep:
        """The next recorded step. Ignores `actions`."""
        self.latest = next(self._steps)
        return self.latest
