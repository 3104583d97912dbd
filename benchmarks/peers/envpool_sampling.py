"""Sampling only: EnvPool in synchronous mode, Pong with random actions.

The rules are those of the rule set `baselines`, except that the step after the end of an episode only resets.
"""

import envpool
import numpy as np
from measuring import cores, parse_arguments, print_result, sample


def main() -> None:
    arguments = parse_arguments(__doc__)
    envs = envpool.make_gymnasium(
        "Pong-v5",
        num_envs=arguments.num_envs,
        batch_size=arguments.num_envs,
        num_threads=cores(),
        seed=0,
        max_episode_steps=27_000,
        img_height=84,
        img_width=84,
        gray_scale=True,
        stack_num=4,
        frame_skip=4,
        noop_max=30,
        episodic_life=True,
        reward_clip=True,
        use_fire_reset=True,
        use_inter_area_resize=True,
        repeat_action_probability=0.0,
        full_action_space=False,
    )
    actions = np.random.default_rng(0).integers(0, envs.action_space.n, (1000, arguments.num_envs))
    envs.reset()
    windows = sample(envs.step, actions, arguments)
    print_result("EnvPool", windows, ["envpool", "gymnasium", "numpy"])


if __name__ == "__main__":
    main()
