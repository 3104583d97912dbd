"""Complete training: Stable-Baselines3's SAC with its default network and settings, one update per step, on the CPU.

Two hidden layers of 256 units in the policy and in each critic, batches of 256: those of the presets `sac/...`.
"""

import torch
from measuring import Windows, cores, parse_arguments, print_result
from sb3_a2c import UntilMeasured
from stable_baselines3 import SAC
from stable_baselines3.common.env_util import make_vec_env


def main() -> None:
    arguments = parse_arguments(__doc__, env=("Pendulum-v1", "HalfCheetah-v5"))
    torch.set_num_threads(cores())
    envs = make_vec_env(arguments.env, n_envs=arguments.num_envs, seed=0)
    model = SAC("MlpPolicy", envs, learning_starts=300, gradient_steps=-1, device="cpu", seed=0)
    windows = Windows(arguments.seconds, arguments.warm_up)
    model.learn(10**9, callback=UntilMeasured(windows), log_interval=10**9)
    envs.close()
    print_result("Stable-Baselines3 SAC", windows.measured, ["stable-baselines3", "torch", "gymnasium", "numpy"])


if __name__ == "__main__":
    main()
