"""Runs the measurements of `paac bench`."""

import gc
import os
from typing import TYPE_CHECKING

from paac_cli.bench.cycle import Cycle
from paac_cli.bench.env_costs import EnvCosts, env_costs
from paac_cli.bench.measurement import Arithmetic, Measurement, Workload, cpu_us
from paac_cli.bench.stand_ins import RandomPlayer, RecordedPool
from paac_cli.config.schema import RunConfig
from paac_cli.events import Alert, Info, Log
from paac_cli.import_tensorflow import import_tensorflow
from paac_cli.machine import available_cores
from paac_cli.sampling.describe import describe
from paac_cli.sampling.make import make_pool
from paac_cli.text import counted
from paac_cli.training.interaction import Player

if TYPE_CHECKING:
    from paac_cli.algorithms.agent import Agent


class Bench:
    """Measures the learner alone, the environments alone and then the workload, for one config after another.

    Later configs may differ from the first only in the numbers of workers and environments, so costs that do not depend
    on them are measured once.
    """

    def __init__(self, workload: Workload, config: RunConfig, seconds: float, log: Log) -> None:
        """seconds: of each measurement. log: takes progress and warnings. Raises EnvironmentSpecError."""
        self._workload, self._seconds, self._log = workload, seconds, log
        self._spec = describe(config.env, config.sampling)
        self._costs: EnvCosts | None = None
        self._device: str | None = None
        self._learner_alone: dict[int, Measurement] = {}  # number of environments -> measurement
        _warn_of_load(log)

    def measure(self, config: RunConfig) -> Measurement:
        """Measure `config`. Raises ConfigError if that is impossible, and WorkerError."""
        if self._workload == "learner":
            return self._measure_learner(config, self._seconds)[1]
        num_envs = config.sampling.num_envs
        player: Player = RandomPlayer(self._spec, num_envs, config.seed)
        alone: Measurement | None = None
        if self._workload == "train":  # first, because it raises ConfigError if network and environment do not fit
            player, alone = self._measure_learner(config, self._seconds / 2)
            config = config.with_settings("network", precision=alone.config.network.precision)
        if self._costs is None:
            self._log(Info("Measuring the environments alone"))
            self._costs = env_costs(config, self._seconds)
        with make_pool(config, self._spec, self._log) as pool:
            where = f"{counted(num_envs, 'environment')} on {counted(pool.num_workers, 'worker')}"
            self._log(Info(f"Measuring {self._workload} with {where}"))
            cycle = Cycle(player, pool, config.algorithm.rollout_length)
            windows = cycle.measure(self._seconds, learns=alone is not None)
            return Measurement(
                self._workload,
                config,
                windows,
                num_workers=pool.num_workers,
                costs=self._costs,
                network_us=alone.network_us if alone else None,
                arithmetic=alone.arithmetic if alone else None,
                device=self._device,
            )

    def _measure_learner(self, config: RunConfig, seconds: float) -> "tuple[Agent, Measurement]":
        """A new agent, and the measurement of the learner alone.

        Each pool needs a new agent, because an agent keeps views of its pool's memory.
        """
        import_tensorflow()
        import tensorflow as tf

        from paac_cli.algorithms.agent import make_agent
        from paac_cli.bench.arithmetic import flop_so_far, matrix_flop_per_second
        from paac_cli.learning.graphs import GraphFunction
        from paac_cli.training.device import choose_device, resolve_precision

        gc.collect()  # frees the previous agent and with it the memory of its pool
        if self._device is None:
            self._device = choose_device(config.training.device, deterministic=config.training.deterministic)
        config = resolve_precision(config)
        agent, num_envs = make_agent(config, self._spec), config.sampling.num_envs
        if num_envs not in self._learner_alone:
            pool = RecordedPool.record(config, self._spec, self._log)
            self._log(Info(f"Measuring the learner alone, for {counted(num_envs, 'environment')}, on {self._device}"))
            cycle = Cycle(agent, pool, config.algorithm.rollout_length)
            windows = cycle.measure(seconds, learns=True)
            functions = [value for value in vars(agent).values() if isinstance(value, GraphFunction)]
            dtype = tf.as_dtype(config.network.precision)
            arithmetic = Arithmetic(flop_so_far(functions) / cycle.steps, matrix_flop_per_second(dtype))
            self._learner_alone[num_envs] = Measurement(
                "learner", config, windows, network_us=cpu_us(windows), arithmetic=arithmetic, device=self._device
            )
        return agent, self._learner_alone[num_envs]


def _warn_of_load(log: Log) -> None:
    load, cores = os.getloadavg()[0], available_cores()
    if load > cores / 2:
        log(
            Alert(
                f"the load average of the last minute is {load:.1f} on {counted(cores, 'core')}. If other programs are "
                "still running, measured speeds are too low (CPU times and the bound less so); stop them and try again"
            )
        )
