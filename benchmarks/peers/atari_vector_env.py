"""Sampling only: ale-py's AtariVectorEnv, Pong with random actions.

The rules are those of the rule set `baselines`, with two differences: a lost life resets the whole game (Pong has no
lives), and the step after the end of an episode only resets.
"""

import ale_py.vector_env
import numpy as np
from measuring import cores, parse_arguments, print_result, sample


def main() -> None:
    arguments = parse_arguments(__doc__)
    envs = ale_py.vector_env.AtariVectorEnv(
        "pong",
        arguments.num_envs,
        num_threads=cores(),
        max_num_frames_per_episode=108_000,
        repeat_action_probability=0.0,
        full_action_space=False,
        img_height=84,
        img_width=84,
        grayscale=True,
        stack_num=4,
        frameskip=4,
        maxpool=True,
        noop_max=30,
        episodic_life=True,
        reward_clipping=True,
        use_fire_reset=True,
    )
    actions = np.random.default_rng(0).integers(0, envs.single_action_space.n, (1000, arguments.num_envs))
    envs.reset(seed=0)
    windows = sample(envs.step, actions, arguments)
    print_result("AtariVectorEnv", windows, ["ale-py", "gymnasium", "numpy"])


if __name__ == "__main__":
    main()
