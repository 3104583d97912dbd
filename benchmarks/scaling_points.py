"""Measures on this machine what `scaling.py` needs: constants of one core, exchanges, and speeds of several ranks."""

import argparse
import csv
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from origin import origin

TORSOS = ("nips", "nature", "impala")
PARAMETERS = {"nips": 678_000, "nature": 1_688_000, "impala": 1_091_000}  #: weights of the networks for Pong
NUM_STEPS = 5  #: T of the preset
NUM_ENVS = 32  #: of the points, in all ranks together

_SETTINGS = ("--preset", "pong", "--set", "network.normalize_obs=false", "--set", "network.precision=float32")
_POINTS = ((1, 1), (1, 2), (2, 2), (4, 2))  # ranks, cores
_SIZES = (500, 100_000, *sorted(PARAMETERS.values()))  # of vectors that are added up
_WARM_UP, _EXCHANGES = 10, 60


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    """All of it, as plain data. seconds: of each measurement of the constants. rounds: of the speeds."""
    points = [{"torso": torso, "ranks": ranks, "cores": cores} for torso in TORSOS for ranks, cores in _POINTS]
    speeds = [[measure_speed(**point) for point in points] for _ in range(rounds)]
    return {
        "origin": origin(shlex.join(["python", "benchmarks/scaling.py", *sys.argv[1:]])),
        "exchanges": {str(ranks): measure_exchanges(ranks) for ranks in (2, 4)},
        "constants": {torso: measure_constants(torso, seconds) for torso in TORSOS},
        "points": [point | {"speeds": [one[i] for one in speeds]} for i, point in enumerate(points)],
    }


def measure_constants(torso: str, seconds: float) -> list[dict[str, float]]:
    """One process on one core, with several numbers of environments: microseconds of each part of a rollout.

    environments, act: for one step of all environments. learn: for an update. mflop: of one step of one environment.
    """
    found = []
    for num_envs in (4, 8, 16, 32):
        settings = ["--set", f"network.torso={torso}", *_SETTINGS, "--num-envs", str(num_envs)]
        report = json.loads(run_paac("bench", "train", "--json", *settings, "--seconds", str(seconds), cores=1))
        budget = {part: us * num_envs for part, us in report["budget_us"].items()}
        found.append(
            {
                "num_envs": num_envs,
                "environments": budget["emulate"] + budget["preprocess"] + budget["wait"],
                "act": budget["act"],
                "learn": budget["learn"] * NUM_STEPS,
                "mflop": report["arithmetic"]["mflop"],
            }
        )
        print(torso, found[-1], flush=True)
    return found


def measure_speed(torso: str, ranks: int, cores: int) -> float:
    """Steps/s in the last three quarters of a training."""
    total = 5_120 if torso == "impala" else 16_000
    launcher = ["launch", "--ranks", str(ranks), "--"] if ranks > 1 else []
    with tempfile.TemporaryDirectory() as directory:
        settings = ["--set", f"network.torso={torso}", *_SETTINGS, "--num-envs", str(NUM_ENVS)]
        length = ["--total-steps", str(total), "--set", f"training.log_every={total // 4}"]
        run_paac(*launcher, "train", *settings, *length, "--run-dir", f"{directory}/run", cores=cores)
        rows = list(csv.DictReader(Path(directory, "run", "metrics.csv").read_text().splitlines()))
    steps, seconds = (float(rows[-1][name]) - float(rows[0][name]) for name in ("steps", "time/time_elapsed"))
    print(torso, ranks, "ranks on", cores, "cores:", steps / seconds, "steps/s", flush=True)
    return steps / seconds


def measure_exchanges(ranks: int) -> list[dict[str, float]]:
    """Microseconds to add up vectors of several sizes over `ranks` ranks, which take turns on two cores."""
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(ranks)]
    addresses = ",".join(f"127.0.0.1:{server.getsockname()[1]}" for server in with_ports)
    for server in with_ports:
        server.close()
    command = [sys.executable, __file__, "--cluster", addresses, "--rank"]
    processes = [
        subprocess.Popen([*on_cores([cores_here()[rank % 2]]), *command, str(rank)], stdout=subprocess.PIPE, text=True)
        for rank in range(ranks)
    ]
    outputs = [process.communicate()[0] for process in processes]
    found: list[dict[str, float]] = json.loads(outputs[0])
    return found


def exchange(addresses: str, rank: int) -> list[dict[str, float]]:
    """In one of the ranks: the median time to add up vectors of several sizes."""
    from paac_cli.import_tensorflow import import_tensorflow
    from paac_cli.training.cluster import Cluster, wait_for_all

    import_tensorflow()
    from paac_cli.training.connection import Connection

    cluster, found = Cluster(tuple(addresses.split(",")), rank), []
    wait_for_all(cluster)
    connection = Connection(cluster, timeout=60.0)
    for size in _SIZES:
        vector, times = np.ones(size, np.float32), []
        for _ in range(_EXCHANGES):
            start = time.perf_counter()
            connection.sum(vector)
            times.append(time.perf_counter() - start)
        found.append({"bytes": vector.nbytes, "us": 1e6 * float(np.median(times[_WARM_UP:]))})
    return found


def run_paac(*arguments: str, cores: int) -> str:
    """The standard output of `paac` with `arguments` on the first `cores` cores."""
    command = [*on_cores(cores_here()[:cores]), sys.executable, "-m", "paac_cli", *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def on_cores(cores: list[int]) -> list[str]:
    """The beginning of a command that may use only `cores`."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores))]


def cores_here() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One rank of `measure_exchanges`.")
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--rank", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(exchange(options.cluster, options.rank)), flush=True)
    os._exit(0)  # the end of the interpreter would wait for the other ranks
