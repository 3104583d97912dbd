"""Complete training: Stable-Baselines3's DQN with its nature CNN on Pong, on the CPU.

8 environments in one process, one update on a batch of 32 for every 4 agent steps, and a buffer of 10,000 transitions,
which holds each observation twice.
"""

import torch
from measuring import Windows, cores, parse_arguments, print_result
from sb3_a2c import UntilMeasured
from stable_baselines3 import DQN
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import VecFrameStack

STEPS_PER_UPDATE = 4


def main() -> None:
    arguments = parse_arguments(__doc__)
    torch.set_num_threads(cores())
    envs = VecFrameStack(make_atari_env("ale_py:PongNoFrameskip-v4", n_envs=arguments.num_envs, seed=0), n_stack=4)
    model = DQN(
        "CnnPolicy",
        envs,
        buffer_size=10_000,
        learning_starts=500,
        batch_size=32,
        train_freq=1,
        gradient_steps=arguments.num_envs // STEPS_PER_UPDATE,
        device="cpu",
        seed=0,
    )
    windows = Windows(arguments.seconds, arguments.warm_up)
    model.learn(10**9, callback=UntilMeasured(windows), log_interval=10**9)
    envs.close()
    print_result(
        "Stable-Baselines3 DQN", windows.measured, ["stable-baselines3", "torch", "ale-py", "gymnasium", "numpy"]
    )


if __name__ == "__main__":
    main()
