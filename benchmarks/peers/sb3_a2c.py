"""Complete training: Stable-Baselines3's A2C with its nature CNN, 5 steps per update, Pong, on the CPU.

Uses only parts of Stable-Baselines3: make_atari_env, VecFrameStack, CnnPolicy. SubprocVecEnv forks its processes,
because 32 processes that each import torch take minutes to start; the speed after the start is the same.
"""

import torch
from measuring import Windows, cores, parse_arguments, print_result
from stable_baselines3 import A2C
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack


class UntilMeasured(BaseCallback):
    """Stops training when all windows are measured."""

    def __init__(self, windows: Windows) -> None:
        super().__init__()
        self._windows = windows

    def _on_step(self) -> bool:
        return self._windows.add(self.training_env.num_envs)


def pong(num_envs: int, vec_env: str) -> VecFrameStack:
    """Environments of Pong with four stacked frames; vec_env: "subproc" or "dummy"."""
    subproc = vec_env == "subproc"
    envs = make_atari_env(
        "ale_py:PongNoFrameskip-v4",
        n_envs=num_envs,
        seed=0,
        vec_env_cls=SubprocVecEnv if subproc else DummyVecEnv,
        vec_env_kwargs={"start_method": "fork"} if subproc else None,
    )
    return VecFrameStack(envs, n_stack=4)


def main() -> None:
    arguments = parse_arguments(__doc__, vec_env=("subproc", "dummy"))
    torch.set_num_threads(cores())
    envs = pong(arguments.num_envs, arguments.vec_env)
    model = A2C("CnnPolicy", envs, n_steps=5, ent_coef=0.01, vf_coef=0.25, device="cpu", seed=0)
    windows = Windows(arguments.seconds, arguments.warm_up)
    model.learn(10**9, callback=UntilMeasured(windows), log_interval=10**9)
    envs.close()
    name = f"Stable-Baselines3 A2C, {type(envs.venv).__name__}"
    print_result(name, windows.measured, ["stable-baselines3", "torch", "ale-py", "gymnasium", "numpy"])


if __name__ == "__main__":
    main()
