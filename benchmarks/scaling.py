"""How fast several ranks train: a model, checked against measured points.

    python benchmarks/scaling.py --measure   # this machine: writes results/scaling.json, in half an hour on two cores
    python benchmarks/scaling.py             # from that file: prints the tables of docs/scaling.md, draws the picture

In lock-step, the time of one rollout of `paac` in one rank is

    T * (environments + acting) + update + exchanges

and all ranks take as long as one, because they have equal shares. `rollout_seconds` says what each part is.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from paac_cli.reporting.tables import format_markdown
from scaling_points import NUM_ENVS, NUM_STEPS, PARAMETERS, measure

RESULTS, PICTURE = Path("results/scaling.json"), Path("results/scaling.png")
MACHINES = (1, 2, 4, 8, 16, 32, 64)

# A machine of 16 cores like the measured ones, with one GPU.
CORES = 16
GPU_FLOPS = 1e12  # assumed: operations per second that small convolutions reach, a small part of what such GPUs can do
# Microseconds besides these operations. Measured with `nips` and 32 environments on an H200: 1,820 and 6,410 in all.
GPU_ACT, GPU_UPDATE = 1_690.0, 4_520.0
LATENCY = 50e-6  # seconds of one message between machines, with TensorFlow's gRPC
GIGABIT = 1e9 / 8  # bytes per second


class Line(NamedTuple):
    """A time that grows linearly with `n`, in microseconds: `fixed + each * n`."""

    fixed: float
    each: float

    def seconds(self, n: float) -> float:
        return 1e-6 * (self.fixed + self.each * n)


class Rank(NamedTuple):
    """What one rank has to compute with."""

    environments: Line  #: one step of n environments on one core
    act: Line  #: choosing n actions
    learn: Line  #: an update on n transitions
    cores: int = 1  #: that step environments
    sharing: int = 1  #: ranks that take turns on these cores


class Network(NamedTuple):
    """What an exchange between ranks costs, in seconds."""

    call: float  #: of any exchange
    message: float  #: of each message, one after the other
    byte: float  #: of each byte that a rank sends
    latency: float = 0.0  #: of each message between machines, besides that
    bandwidth: float = float("inf")  #: bytes per second between machines


def exchange_seconds(network: Network, ranks: int, size: float) -> float:
    """Seconds to add up `size` bytes over all ranks in a ring: 2 (K - 1) messages of size / K bytes, one by one."""
    if ranks == 1:
        return 0.0
    messages, bytes_each = 2 * (ranks - 1), size / ranks
    each = network.message + network.latency + bytes_each * (network.byte + 1.0 / network.bandwidth)
    return network.call + messages * each


def rollout_seconds(rank: Rank, network: Network, ranks: int, num_envs: float, parameters: int) -> float:
    """Seconds of a rollout of `paac` with `num_envs` environments in each of `ranks` ranks.

    For each rollout there are three exchanges: rewards and values of all environments, the gradient, and the stop
    signals with the number of finished games.
    """
    step = rank.environments.seconds(num_envs / rank.cores) + rank.act.seconds(num_envs)
    own = NUM_STEPS * step + rank.learn.seconds(NUM_STEPS * num_envs)
    gathered = 4 * (5 * NUM_STEPS + 1) * ranks * num_envs  # bytes: five float32 for each step, and the last value
    exchanges = [exchange_seconds(network, ranks, size) for size in (gathered, 4 * parameters, 32 * ranks)]
    return rank.sharing * (own + sum(exchanges))


def steps_per_second(rank: Rank, network: Network, ranks: int, num_envs: float, parameters: int) -> float:
    """Of all ranks together. Arguments: as of `rollout_seconds`."""
    return ranks * num_envs * NUM_STEPS / rollout_seconds(rank, network, ranks, num_envs, parameters)


def fit(points: Sequence[Mapping[str, float]], x: str, y: str, scale: float = 1.0) -> Line:
    """The line through measured points, by least squares of the relative error; x is multiplied by `scale`."""
    xs, ys = (np.array([point[name] for point in points]) for name in (x, y))
    each, fixed = np.polyfit(xs * scale, ys, 1, w=1.0 / ys)
    return Line(float(fixed), float(each))


def measured_network(exchanges: Mapping[str, Sequence[Mapping[str, float]]]) -> Network:
    """By least squares of the relative error, from exchanges of two ranks and of four that take turns on two cores."""
    rows, seconds = [], []
    for ranks, sharing in ((2, 1), (4, 2)):
        for point in exchanges[str(ranks)]:
            messages = 2 * (ranks - 1)
            rows.append([sharing, sharing * messages, sharing * messages * point["bytes"] / ranks])
            seconds.append(1e-6 * point["us"])
    weights = 1.0 / np.array(seconds)
    call, message, byte = np.linalg.lstsq(np.array(rows) * weights[:, None], np.ones(len(rows)), rcond=None)[0]
    return Network(float(call), float(message), float(byte))


def measured_core(points: Sequence[Mapping[str, float]]) -> Rank:
    """A rank on one core of the measured machine."""
    return Rank(
        fit(points, "num_envs", "environments"),
        fit(points, "num_envs", "act"),
        fit(points, "num_envs", "learn", NUM_STEPS),
    )


def assumed_machine(points: Sequence[Mapping[str, float]]) -> Rank:
    """A rank on a machine with a GPU. An update costs three times the operations of choosing the actions."""
    us = points[0]["mflop"] / (GPU_FLOPS / 1e12)
    core = measured_core(points)
    return Rank(core.environments, Line(GPU_ACT, us / 4), Line(GPU_UPDATE, us * 3 / 4), cores=CORES)


def comparison_rows(found: Mapping[str, Any]) -> Iterator[list[str]]:
    """Measured points beside what the model predicts from the constants of one core."""
    network = measured_network(found["exchanges"])
    yield ["torso", "ranks", "cores", "measured steps/s", "predicted", "error"]
    for point in found["points"]:
        torso, ranks, cores = point["torso"], point["ranks"], point["cores"]
        if cores > ranks:
            continue  # several cores for one process: its operations are divided among them, which is not modelled
        rank = measured_core(found["constants"][torso])._replace(sharing=ranks // cores)
        predicted = steps_per_second(rank, network, ranks, NUM_ENVS / ranks, PARAMETERS[torso])
        median = float(np.median(point["speeds"]))
        speeds = f"{min(point['speeds']):,.0f}-{max(point['speeds']):,.0f}"
        yield [f"`{torso}`", str(ranks), str(cores), speeds, f"{predicted:,.0f}", f"{predicted / median - 1:+.0%}"]


class Plan(NamedTuple):
    """How the environments are shared among machines."""

    label: str
    torso: str
    total: int | None  #: environments of all machines together; None: 256 for each
    gigabits: float

    def speed(self, found: Mapping[str, Any], machines: int) -> float:
        """Predicted steps/s."""
        rank = assumed_machine(found["constants"][self.torso])
        measured = measured_network(found["exchanges"])
        network = measured._replace(latency=LATENCY, bandwidth=self.gigabits * GIGABIT)
        num_envs = self.total / machines if self.total else 256
        return steps_per_second(rank, network, machines, num_envs, PARAMETERS[self.torso])


PLANS = [
    Plan("nips, 256 for each machine, 10 Gbit/s", "nips", None, 10),
    Plan("nips, 256 for each machine, 1 Gbit/s", "nips", None, 1),
    Plan("nips, 1,024 in all, 10 Gbit/s", "nips", 1024, 10),
    Plan("nature, 256 for each machine, 10 Gbit/s", "nature", None, 10),
    Plan("impala, 256 for each machine, 10 Gbit/s", "impala", None, 10),
]


def projection_rows(found: Mapping[str, Any]) -> Iterator[list[str]]:
    """Predicted steps/s of several machines, with two digits, and their share of as many times one machine."""
    yield ["environments and network", *map(str, MACHINES)]
    for plan in PLANS:
        speeds = [plan.speed(found, machines) for machines in MACHINES]
        shares = [speed / speeds[0] / machines for speed, machines in zip(speeds, MACHINES, strict=True)]
        yield [
            plan.label,
            *(f"{float(f'{speed:.2g}'):,.0f} ({share:.0%})" for speed, share in zip(speeds, shares, strict=True)),
        ]


def constants_rows(found: Mapping[str, Any]) -> Iterator[list[str]]:
    """Of one core, in microseconds; n are environments, or transitions of an update."""
    yield ["torso", "environments", "acting", "update"]
    for torso, points in found["constants"].items():
        core = measured_core(points)
        yield [
            f"`{torso}`",
            *(f"{line.fixed:,.0f} + {line.each:,.0f} n" for line in (core.environments, core.act, core.learn)),
        ]


def exchange_rows(found: Mapping[str, Any]) -> Iterator[list[str]]:
    """Measured times to add up a vector, beside those of the model. Four ranks take turns on two cores."""
    network = measured_network(found["exchanges"])
    yield ["kB", "2 ranks, ms", "model", "4 ranks on two cores, ms", "model"]
    for two, four in zip(found["exchanges"]["2"], found["exchanges"]["4"], strict=True):
        size = two["bytes"]
        ms = [two["us"] / 1e3, 1e3 * exchange_seconds(network, 2, size)]
        ms += [four["us"] / 1e3, 2e3 * exchange_seconds(network, 4, size)]
        yield [f"{size / 1e3:,.0f}", *(f"{number:.1f}" for number in ms)]


def table(rows: Iterator[list[str]]) -> str:
    """A table in Markdown."""
    columns, *others = rows
    return format_markdown(columns, others)


TABLES = (constants_rows, exchange_rows, comparison_rows, projection_rows)


def draw(found: Mapping[str, Any], path: Path) -> None:
    """The predicted speed over the number of machines."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for plan in PLANS:
        axes.plot(MACHINES, [plan.speed(found, machines) for machines in MACHINES], marker="o", label=plan.label)
    axes.set(xscale="log", yscale="log", xlabel="machines of 16 cores and one GPU", ylabel="steps/s, predicted")
    axes.set_xticks(MACHINES, [str(machines) for machines in MACHINES])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="measure this machine first")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement of the constants")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each point, in alternation")
    options = parser.parse_args()
    if options.measure:
        RESULTS.write_text(json.dumps(measure(options.seconds, options.rounds), indent=1) + "\n")
    found = json.loads(RESULTS.read_text())
    print("\n\n".join(table(rows(found)) for rows in TABLES))
    draw(found, PICTURE)


if __name__ == "__main__":
    main()
