"""The contestants of each group, and the commands that measure them."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison import footprint
from comparison.environments import BENCHMARKS, Environments
from comparison.footprint import PAAC_EXECUTABLE
from comparison.processes import output_as_json
from comparison.revisions import Revision
from comparison.targets import PAAC, SCALING, earlier

NUM_ENVS = 32
CHEAP_ENVS = 16  # where a step of an environment takes microseconds
DQN_ENVS = 8  # two updates for every step of all environments
_TIMEOUT = 400.0  # seconds in addition to those of the measurement

Measurement = dict[str, Any]  #: name of a figure -> value, or {"failed": reason}


@dataclass(frozen=True)
class Setting:
    """The conditions of a measurement."""

    seconds: float  #: duration of the measurement of one contestant in one round
    environments: Environments  #: the virtual environments of other projects


@dataclass(frozen=True)
class Contestant:
    """A program that is measured."""

    name: str
    measure: Callable[[Setting], Measurement]  #: runs it once; raises MeasurementError if it gives no figure
    environment: str | None = None  #: name of the virtual environment in which it runs; None: that of this project


@dataclass(frozen=True)
class Bench:
    """Arguments of `paac bench`."""

    part: str
    preset: str = "pong"
    assignments: tuple[str, ...] = ("env.protocol=baselines",)  #: arguments of `--set`
    num_envs: int = NUM_ENVS

    def contestant(self, name: str = PAAC, executable: Sequence[str | Path] = (PAAC_EXECUTABLE,)) -> Contestant:
        """This measurement by `executable`, the `paac` of this or another version."""

        def measure(setting: Setting) -> Measurement:
            command = [*executable, "bench", self.part, "--preset", self.preset]
            command += [word for assignment in self.assignments for word in ("--set", assignment)]
            command += ["--num-envs", str(self.num_envs), "--seconds", str(setting.seconds), "--json"]
            return output_as_json(command, setting.seconds + _TIMEOUT)

        return Contestant(name, measure)


def sampler(*assignments: str) -> Bench:
    """The sampler alone, on Pong under the rule set `baselines`."""
    return Bench("sampler", assignments=("env.protocol=baselines", *assignments))


def training(torso: str, *assignments: str, precision: str = "float32", num_envs: int = NUM_ENVS) -> Bench:
    """A2C with 5 steps per update on Pong, without the observation normalisation of the preset `pong`."""
    network = (f"network.torso={torso}", "network.normalize_obs=false", f"network.precision={precision}")
    settings = ("env.protocol=baselines", "algorithm.num_steps=5", *network, *assignments)
    return Bench("train", assignments=settings, num_envs=num_envs)


def ppo(env_id: str) -> Bench:
    """PPO with two hidden layers of 64 units on an environment that takes little time."""
    settings = ("algorithm.num_steps=128", "algorithm.num_epochs=4", "algorithm.num_minibatches=4")
    network = ("network.hidden_sizes=[64, 64]", "network.precision=float32")
    return Bench("train", "ppo/cartpole", (f"env.id={env_id}", *settings, *network), num_envs=CHEAP_ENVS)


def sac(env_id: str) -> Bench:
    """SAC with two hidden layers of 256 units, batches of 256 and one update per step."""
    settings = (f"env.id={env_id}", "algorithm.learning_starts=300", "network.precision=float32")
    return Bench("train", "sac/pendulum", settings, num_envs=1)


def dqn() -> Bench:
    """DQN on Pong with the nature CNN, batches of 32 and one update for every 4 steps."""
    replay = ("algorithm.buffer_size=10_000", "algorithm.learning_starts=500", "algorithm.batch_size=32")
    settings = ("algorithm.steps_per_update=4", "algorithm.n_step=1", "algorithm.double=false")
    network = ("network.torso=nature", "network.normalize_obs=false", "network.precision=float32")
    return Bench("train", "dqn/pong", (*replay, *settings, *network), num_envs=DQN_ENVS)


def peer(name: str, script: str, environment: str | None, *arguments: str, num_envs: int = NUM_ENVS) -> Contestant:
    """A script in `peers/`, which measures another project. environment: as in `Contestant`."""

    def measure(setting: Setting) -> Measurement:
        python = setting.environments.python(environment) if environment else sys.executable
        sizes = ["--num-envs", str(num_envs), "--seconds", str(setting.seconds)]
        command: list[str | Path] = [python, BENCHMARKS / "peers" / script, *sizes, *arguments]
        return output_as_json(command, setting.seconds + _TIMEOUT, isolated=True)

    return Contestant(name, measure, environment)


def keras(network: str) -> Contestant:
    """A plain A2C in Keras. It runs in this project's environment, with the same TensorFlow and ale-py as paac."""
    return peer("Keras A2C", "keras_a2c.py", None, "--network", network)


def sb3_ppo(env_id: str) -> list[Contestant]:
    """PPO of Stable-Baselines3 with each of its vector environments, with the settings of `ppo`."""
    vec_envs = {"SB3 PPO, DummyVecEnv": "dummy", "SB3 PPO, SubprocVecEnv": "subproc"}
    return [
        peer(name, "sb3_ppo.py", "sb3", "--vec-env", vec_env, "--env", env_id, num_envs=CHEAP_ENVS)
        for name, vec_env in vec_envs.items()
    ]


def response(name: str, *arguments: str, exit_code: int = 0) -> Contestant:
    return Contestant(name, lambda _: footprint.response_time(*arguments, exit_code=exit_code))


def first_update(num_workers: int) -> Contestant:
    name = f"first update, {num_workers} workers"
    return Contestant(name, lambda _: footprint.first_update_time(NUM_ENVS, num_workers))


#: Group -> factor of the seconds of measurement, if it is not 1. Scaling has many contestants, all of them paac.
DURATION_FACTORS = {SCALING: 0.5}

GROUPS: dict[str, list[Contestant]] = {
    "sampling": [
        sampler().contestant(),
        sampler("sampling.overlap=true").contestant("paac, overlap"),
        peer("AtariVectorEnv", "atari_vector_env.py", "farama"),
        peer("EnvPool", "envpool_sampling.py", "envpool"),
        peer("AsyncVectorEnv", "async_vector_env.py", "farama"),
        peer("bare emulator", "bare_emulator.py", "farama"),
    ],
    "nips": [
        training("nips").contestant(),
        training("nips", precision="auto").contestant("paac, precision auto"),
        training("nips", "env.id=ALE/Breakout-v5").contestant("paac, Breakout"),
        keras("nips"),
    ],
    "nature": [
        training("nature").contestant(),
        training("nature", precision="auto").contestant("paac, precision auto"),
        peer("SB3 A2C, SubprocVecEnv", "sb3_a2c.py", "sb3", "--vec-env", "subproc"),
        peer("SB3 A2C, DummyVecEnv", "sb3_a2c.py", "sb3", "--vec-env", "dummy"),
    ],
    "cartpole": [ppo("CartPole-v1").contestant(), *sb3_ppo("CartPole-v1")],
    "pendulum": [ppo("Pendulum-v1").contestant(), *sb3_ppo("Pendulum-v1")],
    "sac": [
        sac("Pendulum-v1").contestant(),
        peer("SB3 SAC", "sb3_sac.py", "sb3", "--env", "Pendulum-v1", num_envs=1),
    ],
    "dqn": [
        dqn().contestant(),
        peer("SB3 DQN, SubprocVecEnv", "sb3_dqn.py", "sb3", "--vec-env", "subproc", num_envs=DQN_ENVS),
        peer("SB3 DQN, DummyVecEnv", "sb3_dqn.py", "sb3", "--vec-env", "dummy", num_envs=DQN_ENVS),
    ],
    SCALING: [training("nips", num_envs=n).contestant(f"{n} environments") for n in (16, 32, 64, 128, 256)],
    "small": [
        response("paac --help", "--help"),
        response("paac presets list", "presets", "list"),
        response("a config error", "train", "--preset", "pong", "--set", "training.total_stepz=1", exit_code=2),
        first_update(2),
        first_update(16),
        Contestant("memory", lambda _: footprint.memory(NUM_ENVS, num_workers=2)),
    ],
}

#: What is compared with an earlier version.
_WORKLOADS: dict[str, Bench] = {
    "sampling": sampler(),
    "nips": training("nips"),
    "nature": training("nature"),
    "ppo/pong": Bench("train", "ppo/pong", ("network.precision=float32",)),
    "nstep_q/pong": Bench("train", "nstep_q/pong", ("network.precision=float32",)),
    "PPO, CartPole": ppo("CartPole-v1"),
    "PPO, Pendulum": ppo("Pendulum-v1"),
}


def beside(revision: Revision) -> list[Contestant]:
    """Every workload, measured with this version and then with `revision`."""
    return [
        contestant
        for name, bench in _WORKLOADS.items()
        for contestant in (bench.contestant(name), bench.contestant(earlier(name), revision.command))
    ]
