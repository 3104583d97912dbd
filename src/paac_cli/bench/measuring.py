"""What `bench` does before it has something to say: one measurement, or one for each point of a sweep."""

import gc
import os
from collections.abc import Callable, Container, Iterable, Iterator
from typing import TYPE_CHECKING

from paac_cli.cli.options import warn
from paac_cli.machine import available_cores
from paac_cli.training.import_tensorflow import import_tensorflow

if TYPE_CHECKING:
    from paac_cli.algorithms.agent import Agent
    from paac_cli.bench.budget import Measured, What
    from paac_cli.bench.env_costs import EnvCosts
    from paac_cli.config.schema import RunConfig

Say = Callable[[str], None]

_NUM_ENVS = (16, 32, 64, 128, 256)  # that a sweep tries


class Bench:
    """Measures one thing after another: the learner alone, the environments alone, then what was asked for.

    The next config may differ in its numbers of workers and of environments alone: what holds for it as
    well is not measured again.
    """

    def __init__(self, what: "What", config: "RunConfig", seconds: float, say: Say) -> None:
        """seconds: of each measurement. say: hears what is going on. Raises EnvironmentSpecError."""
        from paac_cli.envs.make import describe_env

        self._what, self._seconds, self._say = what, seconds, say
        self._spec = describe_env(config.env)
        _warn_of_load()
        self._costs: EnvCosts | None = None
        self._device: str | None = None
        self._learner: dict[int, Measured] = {}  # alone, for so many environments

    def measure(self, config: "RunConfig") -> "Measured":
        """What this config comes to. Raises ConfigError where it cannot be measured, and WorkerError."""
        from paac_cli.bench.budget import Measured, counted
        from paac_cli.bench.cycle import Cycle, RandomPlayer
        from paac_cli.bench.env_costs import env_costs
        from paac_cli.sampling.pool import WorkerPool
        from paac_cli.sampling.rollout import Player

        if self._what == "learner":
            return self._learner_alone(config, self._seconds)[1]
        num_envs = config.sampling.num_envs
        player: Player = RandomPlayer(self._spec.action, num_envs, config.seed)
        network_us = None
        if self._what == "train":  # before the rest: what does not fit together is refused there
            player, alone = self._learner_alone(config, self._seconds / 2)
            network_us = alone.network_us
        if self._costs is None:
            self._say("measuring the environments alone")
            self._costs = env_costs(config, self._seconds)
        with WorkerPool.of(config, self._spec, warn) as pool:
            where = f"{counted(num_envs, 'environment')} on {counted(pool.num_workers, 'worker')}"
            self._say(f"measuring {self._what}, {where}")
            cycle = Cycle(player, pool, config.algorithm.rollout_length)
            windows = cycle.measure(self._seconds, learns=network_us is not None)
            return Measured(self._what, config, windows, pool.num_workers, self._costs, network_us, self._device)

    def _learner_alone(self, config: "RunConfig", seconds: float) -> "tuple[Agent, Measured]":
        """A new agent of this config, and what it costs. An agent knows the memory of its pool, so each has its own."""
        import_tensorflow()
        from paac_cli.algorithms.agent import make_agent
        from paac_cli.training.device import choose_device

        gc.collect()  # the agent before, and the memory of its pool
        if self._device is None:
            self._device = choose_device(config.training.device, deterministic=config.training.deterministic)
        agent, num_envs = make_agent(config, self._spec), config.sampling.num_envs
        if num_envs not in self._learner:
            self._learner[num_envs] = self._measure_learner(agent, config, seconds)
        return agent, self._learner[num_envs]

    def _measure_learner(self, agent: "Agent", config: "RunConfig", seconds: float) -> "Measured":
        from paac_cli.bench.budget import Measured, counted, cpu_us
        from paac_cli.bench.cycle import Cycle, RecordedRollout

        rollout = RecordedRollout.of(config, self._spec, warn)
        for_whom = counted(config.sampling.num_envs, "environment")
        self._say(f"measuring the learner alone, for {for_whom}, on {self._device}")
        windows = Cycle(agent, rollout, config.algorithm.rollout_length).measure(seconds, learns=True)
        return Measured("learner", config, windows, network_us=cpu_us(windows), device=self._device)


def _warn_of_load() -> None:
    load, cores = os.getloadavg()[0], available_cores()
    if load > cores / 2:
        warn(
            f"on {cores} cores {load:.1f} programs were at work in the last minute; if they still are, speeds come "
            "out low (CPU times and the bound less so)"
        )


def measure_sweep(
    what: "What", read: "Callable[[dict[str, int]], RunConfig]", given: Container[str], seconds: float, say: Say
) -> "list[Measured]":
    """One measurement for each number of workers and environments, but for keys that are `given`.

    read: the config with these overrides beside all others; where it is refused, the point is left out.
    Raises ConfigError where all are refused, or where one cannot be measured.
    """
    from paac_cli.errors import ConfigError

    configs: list[RunConfig] = []
    refusals: dict[str, ConfigError] = {}
    for point in _points(given):
        try:
            configs.append(read(point))
        except ConfigError as error:
            refusals[str(error)] = error
    if not configs:
        raise next(iter(refusals.values()))
    for refusal in refusals:
        say(f"left out: {refusal}")
    bench = Bench(what, configs[0], seconds, say)
    return [bench.measure(config) for config in configs]


def _points(given: Container[str]) -> Iterator[dict[str, int]]:
    """What to put into the config, environments first: a learner serves all numbers of workers."""
    cores = available_cores()
    workers = sorted({1, max(cores // 2, 1), cores, 2 * cores})
    for num_envs in _open("sampling.num_envs", _NUM_ENVS, given):
        for num_workers in _open("sampling.num_workers", workers, given):
            yield num_envs | num_workers


def _open(key: str, values: Iterable[int], given: Container[str]) -> list[dict[str, int]]:
    """`key` with each of the values, or nothing to add where it is given already."""
    return [{}] if key in given else [{key: value} for value in values]
