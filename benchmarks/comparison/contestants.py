"""Who runs against whom, and by which command."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison import footprint
from comparison.environments import BENCHMARKS, Environments
from comparison.footprint import PAAC
from comparison.processes import json_of
from comparison.targets import NEVER_FALLS, OURS

NUM_ENVS = 32
_TIMEOUT = 400.0  # seconds beside those that are measured

Measured = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """seconds: measured, per contestant and round. cores: those that this process may use."""

    seconds: float
    cores: int
    environments: Environments


@dataclass(frozen=True)
class Contestant:
    """measure: one run; raises Failed where it gives no figure. environment: that it needs, if not the project's."""

    name: str
    measure: Callable[[Setting], Measured]
    environment: str | None = None


def ours(bench: str, *assignments: str, num_envs: int = NUM_ENVS, name: str = OURS) -> Contestant:
    """`paac bench`, on Pong under the protocol `baselines`."""
    given = ("env.protocol=baselines", *assignments)

    def measure(setting: Setting) -> Measured:
        command: list[str | Path] = [
            PAAC,
            "bench",
            bench,
            "--preset",
            "pong",
            *(word for key in given for word in ("--set", key)),
        ]
        sizes = {"--num-envs": num_envs, "--num-workers": setting.cores, "--seconds": setting.seconds}
        command += [str(word) for item in sizes.items() for word in item]
        return json_of([*command, "--json"], setting.seconds + _TIMEOUT)

    return Contestant(name, measure)


def our_training(torso: str, *assignments: str, precision: str = "float32", **options: Any) -> Contestant:
    """A2C with 5 steps per update, without what Pong's preset adds to the network."""
    network = [f"network.torso={torso}", "network.normalize_obs=false", f"network.precision={precision}"]
    return ours("train", "algorithm.num_steps=5", *network, *assignments, **options)


def peer(name: str, script: str, environment: str | None, *arguments: str) -> Contestant:
    """A script of `peers/`. environment: None = the project's own."""

    def measure(setting: Setting) -> Measured:
        python = setting.environments.python(environment) if environment else sys.executable
        sizes = ["--num-envs", str(NUM_ENVS), "--seconds", str(setting.seconds)]
        command: list[str | Path] = [python, BENCHMARKS / "peers" / script, *sizes, *arguments]
        return json_of(command, setting.seconds + _TIMEOUT, isolated=True)

    return Contestant(name, measure, environment)


def keras(network: str) -> Contestant:
    """Runs in the project's environment, which has TensorFlow and ale-py in the same versions as what it meets."""
    return peer("Keras A2C", "keras_a2c.py", None, "--network", network)


def answer(name: str, *arguments: str, exit_code: int = 0) -> Contestant:
    return Contestant(name, lambda _: footprint.answer(*arguments, exit_code=exit_code))


def start(num_workers: int) -> Contestant:
    return Contestant(f"first update, {num_workers} workers", lambda _: footprint.start(NUM_ENVS, num_workers))


#: Group -> share of the seconds that its contestants get; it has many, and all are ours.
SHARES = {NEVER_FALLS: 0.5}

GROUPS: dict[str, list[Contestant]] = {
    "sampling": [
        ours("sampler"),
        ours("sampler", "sampling.overlap=true", name="paac, overlap"),
        peer("AtariVectorEnv", "atari_vector_env.py", "farama"),
        peer("EnvPool", "envpool_sampling.py", "envpool"),
        peer("AsyncVectorEnv", "async_vector_env.py", "farama"),
        peer("bare emulator", "bare_emulator.py", "farama"),
    ],
    "nips": [
        our_training("nips"),
        our_training("nips", precision="auto", name="paac, precision auto"),
        our_training("nips", "env.id=ALE/Breakout-v5", name="paac, Breakout"),
        keras("nips"),
    ],
    "nature": [
        our_training("nature"),
        our_training("nature", precision="auto", name="paac, precision auto"),
        peer("SB3 A2C, SubprocVecEnv", "sb3_a2c.py", "sb3", "--vec-env", "subproc"),
        peer("SB3 A2C, DummyVecEnv", "sb3_a2c.py", "sb3", "--vec-env", "dummy"),
    ],
    NEVER_FALLS: [our_training("nips", num_envs=n, name=f"{n} environments") for n in (16, 32, 64, 128, 256)],
    "small": [
        answer("paac --help", "--help"),
        answer("paac presets list", "presets", "list"),
        answer("a config error", "train", "--preset", "pong", "--set", "training.total_stepz=1", exit_code=2),
        start(2),
        start(16),
        Contestant("memory", lambda _: footprint.memory(NUM_ENVS, num_workers=2)),
    ],
}
