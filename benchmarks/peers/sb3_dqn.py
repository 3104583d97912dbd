"""Complete training: Stable-Baselines3's DQN with its nature CNN on Pong, on the CPU.

8 environments, one update on a batch of 32 for every 4 agent steps, and a buffer of 10,000 transitions, which holds
each observation twice. In a step in which it explores, this DQN does not compute the network, and paac does.
"""

import torch
from measuring import Windows, cores, parse_arguments, print_result
from sb3_a2c import UntilMeasured, pong
from stable_baselines3 import DQN

STEPS_PER_UPDATE = 4
EXPLORATION_STEPS = 200_000  # as in the preset dqn/pong
TOTAL_STEPS = 10**9  # never reached


def main() -> None:
    arguments = parse_arguments(__doc__, vec_env=("subproc", "dummy"))
    torch.set_num_threads(cores())
    envs = pong(arguments.num_envs, arguments.vec_env)
    model = DQN(
        "CnnPolicy",
        envs,
        buffer_size=10_000,
        learning_starts=500,
        batch_size=32,
        train_freq=1,
        gradient_steps=arguments.num_envs // STEPS_PER_UPDATE,
        exploration_fraction=EXPLORATION_STEPS / TOTAL_STEPS,
        exploration_final_eps=0.01,
        device="cpu",
        seed=0,
    )
    windows = Windows(arguments.seconds, arguments.warm_up)
    model.learn(TOTAL_STEPS, callback=UntilMeasured(windows), log_interval=10**9)
    envs.close()
    print_result(
        f"Stable-Baselines3 DQN, {type(envs.venv).__name__}",
        windows.measured,
        ["stable-baselines3", "torch", "ale-py", "gymnasium", "numpy"],
    )


if __name__ == "__main__":
    main()
