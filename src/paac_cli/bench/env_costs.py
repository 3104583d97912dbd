"""Measures the CPU time of environments alone: on all cores at once, while nothing else runs.

One process per core plays random actions in its own environment and does not import TensorFlow. All measure at the
same time, so they share caches, memory bandwidth and clock speed as workers do. The cost of a step is the CPU time
(`time.process_time`: user and system) of all processes, divided by their agent steps. Other programs influence CPU time
less than wall time.

For Atari, two workloads are measured in turn: `act` of the bare emulator, four times per step (games that end are
reset, but resets are not counted), and `step` of the environment, with its resets. For Gymnasium environments there is
only the second.
"""

import contextlib
import functools
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Literal, NamedTuple, Self

import cv2
import numpy as np

from paac_cli.config.env import FRAME_SKIP, EnvConfig
from paac_cli.config.schema import RunConfig
from paac_cli.envs.atari_games import load_game
from paac_cli.envs.make import make_env
from paac_cli.envs.placeholders import Copy
from paac_cli.errors import PaacError, WorkerError
from paac_cli.machine import available_cores
from paac_cli.sampling.child_process import ChildFailedError, ChildProcess, kill_all
from paac_cli.sampling.isolated import receive, send_result
from paac_cli.seeding import episode_seed

_WINDOWS = 5
_BATCH = 32  # steps between two readings of the clock


class EnvCosts(NamedTuple):
    """CPU microseconds per agent step on one core, while all cores do the same; medians over short windows.

    emulate:    four frames of the bare emulator; for a Gymnasium environment, the whole `step`.
    preprocess: the rest of an Atari environment's `step`: frames, stacking, rules and resets. None for Gymnasium
                environments, where the two cannot be separated.
    """

    emulate: float
    preprocess: float | None

    @property
    def step(self) -> float:
        """The whole step."""
        return self.emulate + (self.preprocess or 0.0)


class _Played(NamedTuple):
    """Steps and CPU time of one process in one window."""

    steps: int
    cpu: float  #: seconds


_Activity = Literal["emulate", "step"]
_Play = Callable[[float], _Played]  # plays for about this many seconds of wall time


def env_costs(config: RunConfig, seconds: float) -> EnvCosts:
    """Measure for about `seconds` of wall time, without starting the processes. Raises WorkerError."""
    activities: tuple[_Activity, ...] = ("step", "emulate") if config.env.is_atari else ("step",)
    costs: dict[_Activity, list[float]] = {activity: [] for activity in activities}
    window = seconds / (_WINDOWS * len(activities))
    with _Meters(config) as meters:
        for activity in activities:  # a warm-up: the first steps touch memory for the first time
            meters.measure(activity, window / 2)
        for _ in range(_WINDOWS):
            for activity in activities:
                played = meters.measure(activity, window)
                costs[activity].append(1e6 * sum(one.cpu for one in played) / sum(one.steps for one in played))
    step, *bare = (statistics.median(costs[activity]) for activity in activities)
    return EnvCosts(bare[0], step - bare[0]) if bare else EnvCosts(step, None)


class _Meters:
    """One measuring process per core. A context manager: it owns its processes."""

    def __init__(self, config: RunConfig) -> None:
        self._env, self._timeout = config.env, config.sampling.worker_timeout
        self._processes: list[ChildProcess] = []
        try:
            for index in range(available_cores()):
                arguments = config.env, config.seed, index
                self._processes.append(ChildProcess(_run_meter, *arguments, name="meter", env_config=config.env))
        except BaseException:
            kill_all(self._processes)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        kill_all(self._processes)

    def measure(self, activity: _Activity, seconds: float) -> list[_Played]:
        """Let all processes measure `activity` at the same time. Raises WorkerError if one fails."""
        for process in self._processes:
            with contextlib.suppress(OSError):  # if it is dead, `receive` reports it
                process.connection.send((activity, seconds))
        try:
            return [receive(process, seconds + self._timeout) for process in self._processes]
        except ChildFailedError as error:
            raise WorkerError(f"a process that measures {self._env.id} failed: {error}") from None
        except PaacError as error:
            raise WorkerError(f"a process that measures {self._env.id} failed:\n{error}") from error


def _run_meter(connection: Connection, config: EnvConfig, seed: int, index: int) -> None:
    """Main function of a process: answers requests (activity, seconds) until the other end is closed."""
    cv2.setNumThreads(0)
    players: dict[_Activity, _Play] = {}

    def play(activity: _Activity, seconds: float) -> _Played:
        if activity not in players:
            make = _bare_emulator if activity == "emulate" else _environment
            players[activity] = make(config, seed, index)
        return players[activity](seconds)

    with contextlib.suppress(EOFError, OSError):  # the other process has ended
        while send_result(connection, functools.partial(play, *connection.recv())):
            pass


def _bare_emulator(config: EnvConfig, seed: int, index: int) -> _Play:
    """Four frames of the emulator per step, and nothing else."""
    ale, _, buttons, _ = load_game(config)
    ale.reset_game()
    rng = np.random.default_rng([seed, index])

    def play(seconds: float) -> _Played:
        steps, cpu = 0, 0.0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if ale.game_over():
                ale.reset_game()
            chosen = [buttons[number] for number in rng.integers(len(buttons), size=_BATCH)]
            begin = time.process_time()
            for button in chosen:
                for _ in range(FRAME_SKIP):
                    ale.act(button)
                steps += 1
                if ale.game_over():  # now `act` would do nothing, and cost nothing
                    break
            cpu += time.process_time() - begin
        return _Played(steps, cpu)

    return play


def _environment(config: EnvConfig, seed: int, index: int) -> _Play:
    """`step` of the environment, and `new_game` when a game is over. Drawing actions is not counted."""
    env = make_env(config, copy=Copy(index, index))
    out = np.zeros(env.spec.obs_shape, env.spec.obs_dtype)
    rng = np.random.default_rng([seed, index])
    batch = 1 if env.spec.has_mask else _BATCH  # steps whose actions can be drawn in advance
    episode = 0
    env.new_game(episode_seed(seed, index, episode), out)

    def play(seconds: float) -> _Played:
        nonlocal episode
        steps, cpu = 0, 0.0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            actions = env.spec.draw_actions(rng, np.broadcast_to(out, (batch, *out.shape)))
            begin = time.process_time()
            for action in actions:
                if env.step(action, out).game_over:
                    episode += 1
                    env.new_game(episode_seed(seed, index, episode), out)
            cpu += time.process_time() - begin
            steps += batch
        return _Played(steps, cpu)

    return play
