"""Sampling only: Gymnasium's AsyncVectorEnv with shared memory, Pong with random actions.

One process per environment, with Gymnasium's own wrappers. It has no wrapper for FIRE on reset, so this file defines
one. The rules are those of the rule set `baselines`, with two differences: a lost life resets the whole game (Pong has
no lives), and the step after the end of an episode only resets. Observations are not copied (`copy=False`).
"""

from typing import Any

import ale_py
import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation, TransformReward
from measuring import parse_arguments, print_result, sample


class FireOnReset(gymnasium.Wrapper):
    """Presses FIRE and then the third action after a reset, as FireResetEnv of OpenAI baselines does."""

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(**options)
        for action in (1, 2):
            obs, _, terminated, truncated, info = self.env.step(action)
            if terminated or truncated:
                obs, info = self.env.reset(**options)
        return obs, info


def make_env() -> gymnasium.Env:
    gymnasium.register_envs(ale_py)
    env = gymnasium.make(
        "ALE/Pong-v5",
        frameskip=1,
        repeat_action_probability=0.0,
        full_action_space=False,
        max_num_frames_per_episode=108_000,
    )
    env = AtariPreprocessing(env, noop_max=30, frame_skip=4, screen_size=84, terminal_on_life_loss=True)
    return FrameStackObservation(TransformReward(FireOnReset(env), np.sign), stack_size=4)


def main() -> None:
    arguments = parse_arguments(__doc__)
    envs = AsyncVectorEnv([make_env] * arguments.num_envs, shared_memory=True, copy=False)
    actions = np.random.default_rng(0).integers(0, envs.single_action_space.n, (1000, arguments.num_envs))
    envs.reset(seed=0)
    windows = sample(envs.step, actions, arguments)
    envs.close()
    print_result("AsyncVectorEnv", windows, ["ale-py", "gymnasium", "numpy", "opencv-python-headless"])


if __name__ == "__main__":
    main()
