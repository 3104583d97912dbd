"""The arrays in the memory that the learner shares with its workers.

`N` environments, `W` workers, rollouts of `T` steps. `slots.py` explains the `T + 1` slots of a rollout.
"""

from collections.abc import Sequence

import numpy as np

from paac_cli.sampling.shared_block import SharedBlock
from paac_cli.spec import EnvSpec
from paac_cli.timestep import episode_dtype

#: Values of `ended`: the game is over; or it was truncated because it diverged on replay, and has no score.
ENDED, ABANDONED = 1, 2

#: What a worker is doing: the environment that it makes, resets or steps, and the index of its game; at its end, the
#: environment that it closes; and a count that grows as long as the worker makes progress.
ACTIVITY_DTYPE = np.dtype([("env", np.int64), ("game", np.int64), ("closed_env", np.int64), ("heartbeats", np.int64)])
NO_ENV = -1  #: in place of an environment: the worker is in none


def allocate(
    spec: EnvSpec, num_envs: int, num_workers: int, rollout_length: int, info_keys: Sequence[str] = ()
) -> SharedBlock:
    """Memory for `N` environments, `W` workers and rollouts of `T` steps. Raises ConfigError if it is not available."""
    slots, obs = rollout_length + 1, spec.obs_shape
    return SharedBlock(
        {
            # Written by the workers in every step, to the step's slot.
            "obs": ((slots, num_envs, *obs), spec.obs_dtype),
            "reward": ((slots, num_envs), np.float32),
            "terminated": ((slots, num_envs), np.bool_),
            "truncated": ((slots, num_envs), np.bool_),
            # Written by the workers, about the latest step.
            "ended": ((num_envs,), np.uint8),  # 0: the game continues
            "episodes": ((num_envs,), episode_dtype(info_keys)),  # valid where `ended` is ENDED
            "final_obs": ((num_envs, *obs), spec.obs_dtype),  # valid where `truncated`
            # Written by the workers at any time.
            "diverged": ((num_envs,), np.bool_),  # the game diverged on replay; the learner resets it to False
            "busy": ((num_workers,), np.float64),  # seconds spent in steps
            "activity": ((num_workers,), ACTIVITY_DTYPE),
            # Written by the learner.
            "actions": ((num_envs, *spec.action.shape), spec.action.dtype),
            "active": ((num_envs,), np.bool_),  # whether the environment plays the next step
        }
    )
