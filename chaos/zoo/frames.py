"""`python -m chaos.zoo.frames ID`: stack frames of an environment. An error if two of them are the same frame."""

import itertools
import sys

import numpy as np

from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import make_env

_STACK = 4

if __name__ == "__main__":
    env = make_env(EnvConfig(id=sys.argv[1], frame_stack=_STACK))
    obs = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(np.random.SeedSequence(1), obs)
    for _ in range(_STACK):
        env.step(np.int32(0), obs)
    frames = np.split(obs, _STACK, axis=-1)
    if any((one == other).all() for one, other in itertools.pairwise(frames)):
        sys.exit("frames of a stack are alike")
