"""The contestants of each group, and the commands that measure them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison import footprint
from comparison.environments import BENCHMARKS, Environments
from comparison.footprint import PAAC_EXECUTABLE
from comparison.processes import output_as_json
from comparison.targets import PAAC, SCALING

NUM_ENVS = 32
_TIMEOUT = 400.0  # seconds in addition to those of the measurement

Measurement = dict[str, Any]  #: name of a figure -> value, or {"failed": reason}


@dataclass(frozen=True)
class Setting:
    """The conditions of a measurement."""

    seconds: float  #: duration of the measurement of one contestant in one round
    cores: int  #: number of cores that this process may use
    environments: Environments  #: the virtual environments of other projects


@dataclass(frozen=True)
class Contestant:
    """A program that is measured."""

    name: str
    measure: Callable[[Setting], Measurement]  #: runs it once; raises MeasurementError if it gives no figure
    environment: str | None = None  #: name of the virtual environment in which it runs; None: that of this project


def paac_bench(part: str, *assignments: str, num_envs: int = NUM_ENVS, name: str = PAAC) -> Contestant:
    """`paac bench PART` on Pong under the rule set `baselines`. assignments: further arguments of `--set`."""
    settings = ("env.protocol=baselines", *assignments)

    def measure(setting: Setting) -> Measurement:
        command: list[str | Path] = [PAAC_EXECUTABLE, "bench", part, "--preset", "pong"]
        command += [word for assignment in settings for word in ("--set", assignment)]
        sizes = {"--num-envs": num_envs, "--num-workers": setting.cores, "--seconds": setting.seconds}
        command += [str(word) for item in sizes.items() for word in item]
        return output_as_json([*command, "--json"], setting.seconds + _TIMEOUT)

    return Contestant(name, measure)


def paac_training(torso: str, *assignments: str, precision: str = "float32", **options: Any) -> Contestant:
    """`paac bench train`: A2C with 5 steps per update, without the observation normalisation of the preset `pong`."""
    network = [f"network.torso={torso}", "network.normalize_obs=false", f"network.precision={precision}"]
    return paac_bench("train", "algorithm.num_steps=5", *network, *assignments, **options)


def peer(name: str, script: str, environment: str | None, *arguments: str) -> Contestant:
    """A script in `peers/`, which measures another project. environment: as in `Contestant`."""

    def measure(setting: Setting) -> Measurement:
        python = setting.environments.python(environment) if environment else sys.executable
        sizes = ["--num-envs", str(NUM_ENVS), "--seconds", str(setting.seconds)]
        command: list[str | Path] = [python, BENCHMARKS / "peers" / script, *sizes, *arguments]
        return output_as_json(command, setting.seconds + _TIMEOUT, isolated=True)

    return Contestant(name, measure, environment)


def keras(network: str) -> Contestant:
    """A plain A2C in Keras. It runs in this project's environment, with the same TensorFlow and ale-py as paac."""
    return peer("Keras A2C", "keras_a2c.py", None, "--network", network)


def response(name: str, *arguments: str, exit_code: int = 0) -> Contestant:
    return Contestant(name, lambda _: footprint.response_time(*arguments, exit_code=exit_code))


def first_update(num_workers: int) -> Contestant:
    name = f"first update, {num_workers} workers"
    return Contestant(name, lambda _: footprint.first_update_time(NUM_ENVS, num_workers))


#: Group -> factor of the seconds of measurement, if it is not 1. Scaling has many contestants, all of them paac.
DURATION_FACTORS = {SCALING: 0.5}

GROUPS: dict[str, list[Contestant]] = {
    "sampling": [
        paac_bench("sampler"),
        paac_bench("sampler", "sampling.overlap=true", name="paac, overlap"),
        peer("AtariVectorEnv", "atari_vector_env.py", "farama"),
        peer("EnvPool", "envpool_sampling.py", "envpool"),
        peer("AsyncVectorEnv", "async_vector_env.py", "farama"),
        peer("bare emulator", "bare_emulator.py", "farama"),
    ],
    "nips": [
        paac_training("nips"),
        paac_training("nips", precision="auto", name="paac, precision auto"),
        paac_training("nips", "env.id=ALE/Breakout-v5", name="paac, Breakout"),
        keras("nips"),
    ],
    "nature": [
        paac_training("nature"),
        paac_training("nature", precision="auto", name="paac, precision auto"),
        peer("SB3 A2C, SubprocVecEnv", "sb3_a2c.py", "sb3", "--vec-env", "subproc"),
        peer("SB3 A2C, DummyVecEnv", "sb3_a2c.py", "sb3", "--vec-env", "dummy"),
    ],
    SCALING: [paac_training("nips", num_envs=n, name=f"{n} environments") for n in (16, 32, 64, 128, 256)],
    "small": [
        response("paac --help", "--help"),
        response("paac presets list", "presets", "list"),
        response("a config error", "train", "--preset", "pong", "--set", "training.total_stepz=1", exit_code=2),
        first_update(2),
        first_update(16),
        Contestant("memory", lambda _: footprint.memory(NUM_ENVS, num_workers=2)),
    ],
}
