"""Complete training: Stable-Baselines3's PPO with its default network, two hidden layers of 64 units, on the CPU.

16 environments, 128 steps per update, 4 epochs of 4 minibatches: those of `ppo` in
`comparison/contestants.py`. Policy and value have a network each, as is its default; paac's share one.
"""

import torch
from measuring import Windows, cores, parse_arguments, print_result
from sb3_a2c import UntilMeasured
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

STEPS, MINIBATCHES, EPOCHS = 128, 4, 4


def main() -> None:
    arguments = parse_arguments(__doc__, vec_env=("subproc", "dummy"), env=("CartPole-v1", "Pendulum-v1"))
    torch.set_num_threads(cores())
    subproc = arguments.vec_env == "subproc"
    envs = make_vec_env(
        arguments.env,
        n_envs=arguments.num_envs,
        seed=0,
        vec_env_cls=SubprocVecEnv if subproc else DummyVecEnv,
        vec_env_kwargs={"start_method": "fork"} if subproc else None,
    )
    batch_size = STEPS * arguments.num_envs // MINIBATCHES
    model = PPO("MlpPolicy", envs, n_steps=STEPS, batch_size=batch_size, n_epochs=EPOCHS, device="cpu", seed=0)
    windows = Windows(arguments.seconds, arguments.warm_up)
    model.learn(10**9, callback=UntilMeasured(windows), log_interval=10**9)
    envs.close()
    name = f"Stable-Baselines3 PPO, {type(envs).__name__}"
    print_result(name, windows.measured, ["stable-baselines3", "torch", "gymnasium", "numpy"])


if __name__ == "__main__":
    main()
