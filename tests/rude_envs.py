"""Gymnasium environments that do to their process what no environment should: `rude_envs:Rude-v0`.

`RUDE_CONFIG` of an action in `ACTIONS` makes one that does it in its constructor, in `reset`, `step` or `close`.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from paac_cli.config.env import EnvConfig
from paac_cli.spec import EnvSpec, discrete_action

SPEC = EnvSpec((1,), np.dtype(np.int64), discrete_action(("0", "1")), 30.0)
_SIMULATOR = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(1000)"


def start_simulator(pids: str, **options: Any) -> subprocess.Popen:
    """Start a program that appends its process id to the file `pids`, and wait until it has."""
    with _longer(Path(pids)):
        return subprocess.Popen([sys.executable, "-c", _SIMULATOR, pids], **options)


@contextlib.contextmanager
def _longer(path: Path) -> Iterator[None]:
    """At the end of the block, wait until the file has become longer."""
    before = path.stat().st_size if path.exists() else 0
    yield
    while not path.exists() or path.stat().st_size == before:
        time.sleep(0.01)


def _daemonize(pids: str) -> None:
    """Start a simulator as a daemon: its parents have ended, and its session is its own."""
    code = f"import rude_envs; rude_envs.start_simulator({pids!r}, start_new_session=True)"
    path = {"PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-c", code], start_new_session=True, check=True, env={**os.environ, **path})


def _fork(pids: str, new_session: bool = False) -> None:
    with _longer(Path(pids)):
        if os.fork() == 0:
            if new_session:
                os.setsid()
            with Path(pids).open("a") as file:
                file.write(f"{os.getpid()}\n")
            time.sleep(1000)
            os._exit(0)


def _double(connection: Any) -> None:
    while True:
        connection.send(2 * connection.recv())


def _use_process() -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_double, args=(theirs,))
    process.start()
    ours.send(21)
    assert ours.recv() == 42
    process.terminate()
    process.join(5)
    assert not process.is_alive(), "a process of multiprocessing ignores SIGTERM"


def _use_pool(method: str) -> None:
    pool = multiprocessing.get_context(method).Pool(1)
    assert pool.apply(abs, (-3,)) == 3


def _terminate_simulator(pids: str) -> None:
    program = start_simulator(pids)
    program.terminate()
    assert program.wait(5) == -signal.SIGTERM


def _sleep() -> None:
    time.sleep(1000)


def _print() -> None:
    print("from Python")
    os.write(1, b"from a system call\n")
    ctypes.CDLL(None).printf(b"from C\n")
    subprocess.run([sys.executable, "-c", "print('from a program')"], check=True)


def _change_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 1000)


class _HangsAsTextError(Exception):
    def __str__(self) -> str:
        time.sleep(1000)
        return ""


def _raise_what_hangs() -> None:
    raise _HangsAsTextError


ACTIONS = {
    "nothing": lambda: None,
    "chdir": lambda: os.chdir("/"),
    "thread": lambda: threading.Thread(target=_sleep).start(),
    "raise": lambda: exec("raise ValueError('no more licences')"),  # noqa: S102
    "raise what hangs": _raise_what_hangs,
    "exit": lambda: sys.exit(3),
    "os exit": lambda: os._exit(3),
    "crash": lambda: ctypes.string_at(0),
    "hang": _sleep,
    "sleep": time.sleep,
    "hang in C": lambda: sum(range(10**13)),
    "signals": _change_signals,
    "umask": lambda: os.umask(0o777),
    "print": _print,
    "simulator": start_simulator,
    "simulator in a session": lambda pids: start_simulator(pids, start_new_session=True),
    "daemon": _daemonize,
    "fork": _fork,
    "fork in a session": lambda pids: _fork(pids, new_session=True),
    "terminate": _terminate_simulator,
    "process": _use_process,
    "fork pool": lambda: _use_pool("fork"),
    "spawn pool": lambda: _use_pool("spawn"),
    "forkserver pool": lambda: _use_pool("forkserver"),
    "touch": lambda path: Path(path).touch(),
    "append": lambda path: os.write(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND), b"made\n"),
    "all": lambda *names: [ACTIONS[name]() for name in names],
}


class Rude(gymnasium.Env):
    """The observation is the number of steps so far; the reward is 1, and a game never ends."""

    observation_space = spaces.Box(0, 2**40, (1,), np.int64)
    action_space = spaces.Discrete(2)

    def __init__(
        self,
        made: list[Any] | None = None,
        reset: list[Any] | None = None,
        step: list[Any] | None = None,
        close: list[Any] | None = None,
        closed: str | None = None,
        only: str | None = None,
        env_index: str = "{env_index}",
        render_mode: str | None = None,
    ) -> None:
        """made, reset, step, close: name of an action and its arguments, for each call.

        closed: a file that `close` creates first. only: the indices of the environments that do something.
        """
        self._actions = {"reset": reset, "step": step, "close": close}
        self._closed, self._is_one = closed, only is None or env_index in only
        self._steps = 0
        self._do(made)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._steps = 0
        self._do(self._actions["reset"])
        return self._obs(), {}

    def step(self, action: int):
        self._steps += 1
        self._do(self._actions["step"])
        return self._obs(), 1.0, False, False, {}

    def close(self) -> None:
        if self._closed is not None:
            Path(self._closed).touch()
        self._do(self._actions["close"])

    def _do(self, action: list[Any] | None) -> None:
        if action is not None and self._is_one:
            name, *arguments = action
            ACTIONS[name](*arguments)

    def _obs(self) -> np.ndarray:
        return np.array([self._steps])


class NeedsSimulator(Rude):
    """Every step fails once its simulator has ended."""

    def __init__(self, pids: str, render_mode: str | None = None) -> None:
        super().__init__()
        self._simulator = start_simulator(pids)

    def step(self, action: int):
        time.sleep(0.001)
        if self._simulator.poll() is not None:
            raise ConnectionError("the simulator has ended")
        return super().step(action)


gymnasium.register("NeedsSimulator-v0", entry_point="rude_envs:NeedsSimulator", disable_env_checker=True)
gymnasium.register("Rude-v0", entry_point="rude_envs:Rude", disable_env_checker=True)


def rude(**when: Any) -> EnvConfig:
    """Its config. when: arguments of `Rude`."""
    return EnvConfig(id="rude_envs:Rude-v0", kwargs={"env_index": "{env_index}", **when}, fresh_per_episode=False)
