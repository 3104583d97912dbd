"""What lies in the memory that learner and workers share.

Slots are the times of a rollout: `T + 1`, of which the last is the first of the next rollout.
"""

import numpy as np

from paac_cli.sampling.shared_block import SharedBlock
from paac_cli.spec import EnvSpec
from paac_cli.timestep import EPISODE_DTYPE

ENDED, ABANDONED = 1, 2  # in `ended`: the game is over; it was cut off because it could not be played again

#: Where a worker is: environment, its how-manyth game, and a count that grows while the worker is alive.
PLACE_DTYPE = np.dtype([("env", np.int64), ("game", np.int64), ("beats", np.int64)])
NOWHERE = -1  # in the place of an environment


def allocate(spec: EnvSpec, num_envs: int, num_workers: int, rollout_length: int) -> SharedBlock:
    """The memory for `N` environments on `W` workers and rollouts of `T` steps. Raises as `SharedBlock` does."""
    slots, obs = rollout_length + 1, spec.obs_shape
    return SharedBlock(
        {
            # By the workers, for every slot.
            "obs": ((slots, num_envs, *obs), spec.obs_dtype),
            "reward": ((slots, num_envs), np.float32),
            "terminated": ((slots, num_envs), np.bool_),
            "truncated": ((slots, num_envs), np.bool_),
            # By the workers, for the latest slot and the one before: a part may be a step ahead of what is looked at.
            "final_obs": ((2, num_envs, *obs), spec.obs_dtype),
            "episodes": ((2, num_envs), EPISODE_DTYPE),
            "ended": ((2, num_envs), np.uint8),
            # By the workers, now and then.
            "strayed": ((num_envs,), np.bool_),  # played again, and saw something else; the learner clears it
            "busy": ((num_workers,), np.float64),  # seconds spent in steps
            "place": ((num_workers,), PLACE_DTYPE),
            # By the learner.
            "actions": ((num_envs, *spec.action.shape), spec.action.dtype),
            "active": ((num_envs,), np.bool_),
        }
    )
