"""A worker process: it owns some environments and writes what they do into shared memory.

One byte over its pipe starts the step of a part, and one byte answers; pickles go with a restore, and text with an
error. When the learner's end of the pipe closes, for whatever reason, the worker is done.
"""

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

import cv2

from paac_cli.config.schema import EnvConfig
from paac_cli.envs.env import Action, Env, make_env
from paac_cli.envs.seeding import episode_seed
from paac_cli.sampling.history import EnvHistory
from paac_cli.sampling.shared_block import SharedBlock

STEP = (b"0", b"1")  # from the learner: one part of the environments plays
RESTORE, CLOSE = b"r", b"c"
READY, ERROR = b"k", b"e"  # from the worker

# They may reach the whole group; the learner decides.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class WorkerTask(NamedTuple):
    """All that a worker is told at its start."""

    worker: int  #: its index
    envs: tuple[range, ...]  #: indices of the environments it owns, of each part
    env_config: EnvConfig
    seed: int
    block: SharedBlock

    @property
    def name(self) -> str:
        """The worker, for people."""
        envs = " and ".join(f"{envs.start}-{envs.stop - 1}" for envs in self.envs)
        return f"worker {self.worker} (environments {envs})"


def run_worker(connection: Connection, task: WorkerTask) -> None:
    """Main function of a worker process."""
    for stop in STOP_SIGNALS:
        signal.signal(stop, signal.SIG_IGN)
    cv2.setNumThreads(0)
    with contextlib.suppress(_Failed, EOFError, BrokenPipeError, ConnectionResetError):  # or the learner is gone
        _serve(connection, task)
    os._exit(0)  # not through the clean-up of a process that was forked from a server


class _Failed(Exception):  # noqa: N818 (it carries nothing: the learner has been told)
    """An environment has raised, and the worker is at its end."""


@contextlib.contextmanager
def _errors_go_home(connection: Connection) -> Iterator[None]:
    """Whatever is raised in here, even what looks like a lost learner, reaches the learner as a traceback."""
    try:
        yield
    except BaseException as error:
        os.write(connection.fileno(), ERROR)
        connection.send_bytes(traceback.format_exc().encode())
        raise _Failed from error


def _serve(connection: Connection, task: WorkerTask) -> None:
    with _errors_go_home(connection):
        envs = _Envs(task)
    try:
        os.write(connection.fileno(), READY)
        while (command := _next_command(connection, envs)) not in (CLOSE, b""):
            histories = connection.recv() if command == RESTORE else None
            with _errors_go_home(connection):
                envs.step(STEP.index(command)) if histories is None else envs.restore(histories)
            os.write(connection.fileno(), READY)
    finally:
        envs.close()


def _next_command(connection: Connection, envs: "_Envs") -> bytes:
    """Waits for it, and does meanwhile what can be done before. Empty: the learner is gone."""
    with _errors_go_home(connection):
        while not _has_word(connection) and envs.prepare():
            pass
    return os.read(connection.fileno(), 1)


def _has_word(connection: Connection) -> bool:
    """Whether the learner has sent something, or is gone."""
    try:
        return connection.poll()
    except OSError:
        return True


class _Envs:
    """A worker's share of the environments."""

    def __init__(self, task: WorkerTask) -> None:
        self._task = task
        self._block = task.block
        self._envs: dict[int, Env] = {n: make_env(task.env_config) for envs in task.envs for n in envs}
        self._episodes = dict.fromkeys(self._envs, 0)
        self._slots = [0] * len(task.envs)  # of each part

    def close(self) -> None:
        for env in self._envs.values():
            env.close()

    def prepare(self) -> bool:
        """Get something ready that later games need; False if there is nothing."""
        return next(iter(self._envs.values())).prepare()

    def restore(self, histories: dict[int, EnvHistory]) -> None:
        """Bring every environment to the end of its history; what it sees goes to slot 0."""
        self._slots = [0] * len(self._slots)
        for n, (episode, actions) in histories.items():
            self._episodes[n] = episode
            self._envs[n].new_game(episode_seed(self._task.seed, n, episode), self._block["obs"][0, n])
            for action in actions:
                self._advance(n, action, slot=0)
            if self._episodes[n] != episode:
                raise RuntimeError(f"environment {n} does not replay: game {episode} ended early")
            self._rest(n, slot=0)
            self._block["ended"][0, n] = False

    def step(self, part: int) -> None:
        """Play the learner's actions for one part. Slot `T` of a rollout is slot 0 of the next."""
        begin = time.perf_counter()
        obs, actions, active = (self._block[name] for name in ("obs", "actions", "active"))
        envs, slot = self._task.envs[part], self._slots[part]
        mine = slice(envs.start, envs.stop)
        if slot == len(obs) - 1:
            obs[0, mine] = obs[slot, mine]
            slot = 0
        self._slots[part] = slot = slot + 1
        self._block["ended"][slot % 2, mine] = False
        for n in envs:
            if active[n]:
                self._advance(n, actions[n], slot)
            else:
                obs[slot, n] = obs[slot - 1, n]
                self._rest(n, slot)
        self._block["busy"][self._task.worker] += time.perf_counter() - begin

    def _rest(self, n: int, slot: int) -> None:
        """Nothing happened to environment `n`."""
        for name in ("reward", "terminated", "truncated"):
            self._block[name][slot, n] = 0

    def _advance(self, n: int, action: Action, slot: int) -> None:
        """One step of environment `n`, with same-step autoreset."""
        block, env = self._block, self._envs[n]
        out = block["obs"][slot, n]
        outcome = env.step(action, out)
        block["reward"][slot, n] = outcome.reward
        block["terminated"][slot, n] = outcome.terminated
        block["truncated"][slot, n] = outcome.truncated
        if outcome.truncated:
            block["final_obs"][slot % 2, n] = out
        if outcome.game_over:
            block["episodes"][slot % 2, n] = (n, self._episodes[n], env.score, env.length)
            block["ended"][slot % 2, n] = True
            self._episodes[n] += 1
            env.new_game(episode_seed(self._task.seed, n, self._episodes[n]), out)
