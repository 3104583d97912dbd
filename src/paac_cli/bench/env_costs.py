"""What environments cost alone, on all cores at once and with nothing else to do.

One process per core plays random actions in one environment of its own; TensorFlow is in none of them.
All measure the same at the same time, so that they share caches, memory and clock as workers do. What is
counted is CPU time (`time.process_time`: user and system), which a busy machine stretches less than wall
time, summed over all processes and divided by the agent steps of all.

For Atari two things are measured in turn: four times `act` of the bare emulator, in which games that are
over are reset but the reset is not counted; and `step` of the environment, with its share of new games.
Of a Gymnasium environment there is only the second.
"""

import signal
import statistics
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import NamedTuple, Self

import cv2
import numpy as np

from paac_cli.config.schema import EnvConfig, RunConfig
from paac_cli.envs.atari_games import load_game
from paac_cli.envs.make import make_env
from paac_cli.envs.rules import FRAME_SKIP
from paac_cli.errors import WorkerError
from paac_cli.machine import available_cores
from paac_cli.sampling.worker import STOP_SIGNALS
from paac_cli.sampling.worker_process import server_with, stop_signals_blocked
from paac_cli.seeding import episode_seed

_WINDOWS = 5
_BATCH = 32  # steps between two looks at the clock
_CLOSE_TIMEOUT = 1.0  # seconds that the processes have to end by themselves
_PATIENCE = 60.0  # seconds for a process to load its environment, or to answer after its time is up


class EnvCosts(NamedTuple):
    """CPU microseconds of one agent step on one core while all cores do the same; medians of short windows.

    emulate:    four frames of the bare emulator; of a Gymnasium environment `step` as a whole.
    preprocess: what `step` of an Atari environment takes above that: screens, stack, rules of the protocol,
                and its share of new games. None where nothing can be told apart.
    """

    emulate: float
    preprocess: float | None

    @property
    def step(self) -> float:
        """All that a step takes."""
        return self.emulate + (self.preprocess or 0.0)


class _Played(NamedTuple):
    """What one process has done in one window."""

    steps: int
    cpu: float  #: seconds


#: Plays for about so many seconds of wall time.
_Subject = Callable[[float], _Played]


def env_costs(config: RunConfig, seconds: float) -> EnvCosts:
    """Measure for about `seconds` of wall time, starting the processes not counted. Raises WorkerError."""
    names = ("step", "emulate") if config.env.is_atari else ("step",)
    costs: dict[str, list[float]] = {name: [] for name in names}
    window = seconds / (_WINDOWS * len(names))
    with _Meters(config) as meters:
        for name in names:  # the first steps touch memory for the first time
            meters.measure(name, window / 2)
        for _ in range(_WINDOWS):
            for name in names:
                played = meters.measure(name, window)
                costs[name].append(1e6 * sum(one.cpu for one in played) / sum(one.steps for one in played))
    step, *bare = (statistics.median(costs[name]) for name in names)
    return EnvCosts(bare[0], step - bare[0]) if bare else EnvCosts(step, None)


class _Meters:
    """One process per core that measures when it is told to. A context manager: it owns its processes."""

    def __init__(self, config: RunConfig) -> None:
        context = server_with("bench.env_costs", config.env)
        self._processes, self._connections = [], []
        with stop_signals_blocked():
            for index in range(available_cores()):
                ours, theirs = context.Pipe()
                process = context.Process(target=_run_meter, args=(theirs, config.env, config.seed, index), daemon=True)
                process.start()
                theirs.close()
                self._processes.append(process)
                self._connections.append(ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()  # by which they end
        deadline = time.monotonic() + _CLOSE_TIMEOUT
        for process in self._processes:
            process.join(max(deadline - time.monotonic(), 0.0))
            if process.is_alive():
                process.kill()
                process.join()

    def measure(self, subject: str, seconds: float) -> list[_Played]:
        """What every process did while all played `subject`. Raises WorkerError where one has failed."""
        try:
            for connection in self._connections:
                connection.send((subject, seconds))
            return [self._answer(connection, seconds) for connection in self._connections]
        except (EOFError, OSError) as error:
            raise WorkerError("a process that measures the environment died without a word") from error

    def _answer(self, connection: Connection, seconds: float) -> _Played:
        if not connection.poll(seconds + _PATIENCE):
            raise WorkerError("a process that measures the environment does not answer")
        answer: _Played | str = connection.recv()
        if isinstance(answer, str):
            raise WorkerError(f"a process that measures the environment failed:\n{answer}")
        return answer


def _run_meter(connection: Connection, config: EnvConfig, seed: int, index: int) -> None:
    """Main function of a process: answers (subject, seconds) until the other end is closed."""
    for stop in STOP_SIGNALS:
        signal.signal(stop, signal.SIG_IGN)  # they may reach the whole group; the main process decides
    cv2.setNumThreads(0)
    try:
        subjects: dict[str, _Subject] = {}
        while True:
            subject, seconds = connection.recv()
            try:
                if subject not in subjects:
                    make = _bare_emulator if subject == "emulate" else _environment
                    subjects[subject] = make(config, seed, index)
                answer: _Played | str = subjects[subject](seconds)
            except Exception:
                answer = traceback.format_exc()
            connection.send(answer)
    except (EOFError, OSError):
        return


def _bare_emulator(config: EnvConfig, seed: int, index: int) -> _Subject:
    """Four frames of the emulator a step, and nothing else."""
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
                if ale.game_over():  # from here on it would refuse to work, at no cost
                    break
            cpu += time.process_time() - begin
        return _Played(steps, cpu)

    return play


def _environment(config: EnvConfig, seed: int, index: int) -> _Subject:
    """`step`, and new games where they are due; drawing the actions is not counted."""
    env = make_env(config)
    out = np.zeros(env.spec.obs_shape, env.spec.obs_dtype)
    rng = np.random.default_rng([seed, index])
    episode = 0
    env.new_game(episode_seed(seed, index, episode), out)

    def play(seconds: float) -> _Played:
        nonlocal episode
        steps, cpu = 0, 0.0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            actions = env.spec.action.draw(rng, _BATCH)
            begin = time.process_time()
            for action in actions:
                if env.step(action, out).game_over:
                    episode += 1
                    env.new_game(episode_seed(seed, index, episode), out)
            cpu += time.process_time() - begin
            steps += _BATCH
        return _Played(steps, cpu)

    return play
