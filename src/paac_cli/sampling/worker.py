"""A worker process: it owns some environments and writes what they do into shared memory.

One byte over its pipe starts the step of a part, and one byte answers; pickles go with a restore, and text with an
error. When the learner's end of the pipe closes, for whatever reason, the worker is done.
"""

import contextlib
import faulthandler
import fcntl
import math
import multiprocessing
import os
import random
import signal
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

import cv2
import numpy as np

from paac_cli.config.schema import EnvConfig
from paac_cli.envs.env import Action, Env
from paac_cli.envs.make import make_env
from paac_cli.sampling.history import EnvHistory, digest
from paac_cli.sampling.layout import ABANDONED, ENDED, NOWHERE
from paac_cli.sampling.shared_block import SharedBlock
from paac_cli.seeding import episode_seed, integer_seed

STEP = (b"0", b"1")  # from the learner: one part of the environments plays
RESTORE, CLOSE = b"r", b"c"
READY, ERROR = b"k", b"e"  # from the worker

# They may reach the whole group; the learner decides.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
SHOW_STACKS = signal.SIGUSR2


class WorkerTask(NamedTuple):
    """All that a worker is told at its start."""

    worker: int  #: its index
    envs: tuple[range, ...]  #: indices of the environments it owns, of each part
    env_config: EnvConfig
    seed: int
    block: SharedBlock
    core: int | None  #: that it shall stay on; None: any

    @property
    def name(self) -> str:
        """The worker, for people."""
        envs = " and ".join(f"{envs.start}-{envs.stop - 1}" for envs in self.envs)
        return f"worker {self.worker} (environments {envs})"


class WorkerState(NamedTuple):
    """Where the environments of a worker shall stand."""

    slots: tuple[int, ...]  #: of each part, the slot of what it saw last
    histories: dict[int, EnvHistory]


def run_worker(connection: Connection, task: WorkerTask, last_words: Connection) -> None:
    """Main function of a worker process. `last_words` takes its stacks when it crashes or hangs."""
    for stop in STOP_SIGNALS:
        signal.signal(stop, signal.SIG_IGN)
    faulthandler.enable(last_words.fileno())
    faulthandler.register(SHOW_STACKS, last_words.fileno())
    _die_with_the_learner()
    cv2.setNumThreads(0)
    _take_turns_well(task.core)
    _seed_global_generators(task)
    with contextlib.suppress(_Failed, EOFError, BrokenPipeError, ConnectionResetError):  # or the learner is gone
        _serve(connection, task)
    os._exit(0)  # not through the clean-up of a process that was forked from a server


def _die_with_the_learner() -> None:
    """Also in the midst of an environment that never comes back: the kernel is to kill us when the learner's end
    of a pipe closes.
    """
    learner = multiprocessing.parent_process()
    assert learner is not None
    fcntl.fcntl(learner.sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(learner.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(learner.sentinel, fcntl.F_SETFL, os.O_ASYNC)
    if not learner.is_alive():  # since before that call
        os._exit(0)


def _take_turns_well(core: int | None) -> None:
    """The learner wakes all workers, one after the other. The first shall not take its core from it before it has come
    to the last, nor two of them wait for one core while the other is idle: either costs a slice of the scheduler's.
    """
    with contextlib.suppress(OSError):  # where a container forbids it, it is slower
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        if core is not None:
            os.sched_setaffinity(0, {core})


def _seed_global_generators(task: WorkerTask) -> None:
    """An environment shall draw from its own generator. One that does not shall at least not draw what those of every
    other worker draw, which are forked from the same server.
    """
    seed = integer_seed(episode_seed(task.seed, task.envs[0].start, 0))
    random.seed(seed)
    np.random.seed(seed)


class _Failed(Exception):  # noqa: N818 (it carries nothing: the learner has been told)
    """An environment has raised, and the worker is at its end."""


def _serve(connection: Connection, task: WorkerTask) -> None:
    place = _Place(task)
    with _errors_go_home(connection):
        envs = _Envs(task, place)
    place.leave()
    try:
        os.write(connection.fileno(), READY)
        while (command := _next_command(connection, envs)) not in (CLOSE, b""):
            state = connection.recv() if command == RESTORE else None
            with _errors_go_home(connection):
                envs.step(STEP.index(command)) if state is None else envs.restore(state)
            place.leave()
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


class _Place:
    """Where this worker is, for a learner that asks whether it lives, or what it died of."""

    def __init__(self, task: WorkerTask) -> None:
        mine = task.block["place"][task.worker : task.worker + 1]
        self._env, self._game, self._beats = (memoryview(mine[name].data) for name in ("env", "game", "beats"))

    def enter(self, env: int, game: int) -> None:
        """Environment `env` is made, or reset or stepped in its how-manyth `game`: a sign of life."""
        self._env[0], self._game[0] = env, game
        self._beats[0] += 1

    def leave(self) -> None:
        self._env[0] = NOWHERE


@contextlib.contextmanager
def _errors_go_home(connection: Connection) -> Iterator[None]:
    """Whatever is raised in here, even what looks like a lost learner, reaches the learner as a traceback."""
    try:
        yield
    except BaseException:
        os.write(connection.fileno(), ERROR)
        connection.send_bytes(traceback.format_exc().encode(errors="backslashreplace"))
        raise _Failed from None


class _Envs:
    """A worker's share of the environments."""

    def __init__(self, task: WorkerTask, place: _Place) -> None:
        self._task, self._place = task, place
        self._block = task.block
        self._envs: dict[int, Env] = {}
        for n in (n for envs in task.envs for n in envs):
            place.enter(n, game=0)
            self._envs[n] = make_env(task.env_config)
        self._episodes = dict.fromkeys(self._envs, 0)
        self._slots = [0] * len(task.envs)  # of each part
        self._strayed: set[int] = set()  # environments whose game is to be cut off

    def close(self) -> None:
        for env in self._envs.values():
            env.close()

    def prepare(self) -> bool:
        """Get something ready that later games need; False if there is nothing."""
        return next(iter(self._envs.values())).prepare()

    def restore(self, state: WorkerState) -> None:
        """Bring every environment to the end of its history."""
        self._slots = list(state.slots)
        for envs, slot in zip(self._task.envs, state.slots, strict=True):
            for n in envs:
                self._replay(n, slot, state.histories[n])

    def _replay(self, n: int, slot: int, history: EnvHistory) -> None:
        """Play what environment `n` has played. If it is paid or then sees something else, its game goes no further."""
        env, row = self._envs[n], self._block["obs"][slot, n]
        seen, game_over, paid = np.empty_like(row), False, 0.0
        self._episodes[n] = history.episode
        self._place.enter(n, history.episode)
        env.new_game(episode_seed(self._task.seed, n, history.episode), seen)
        for action in history.actions:
            self._place.enter(n, history.episode)
            outcome = env.step(action, seen)
            paid += float(np.float32(outcome.reward))  # as the learner has got it
            game_over = outcome.game_over
            if game_over:
                break
        is_paid_else = not math.isnan(history.paid) and paid != history.paid
        if game_over or is_paid_else or (history.seen and digest(seen) not in history.seen):
            self._strayed.add(n)
            self._block["strayed"][n] = True
            if digest(row) in history.seen:  # what was learned from ends with what was seen
                return
        row[...] = seen

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
        self._block["ended"][slot % 2, mine] = 0
        for n in envs:
            self._place.enter(n, self._episodes[n])
            if not active[n]:
                self._rest(n, slot)
            elif n in self._strayed:
                self._abandon(n, slot)
            else:
                self._advance(n, actions[n], slot)
        self._block["busy"][self._task.worker] += time.perf_counter() - begin

    def _rest(self, n: int, slot: int) -> None:
        """Nothing happens to environment `n`."""
        block = self._block
        block["obs"][slot, n] = block["obs"][slot - 1, n]
        for name in ("reward", "terminated", "truncated"):
            block[name][slot, n] = 0

    def _abandon(self, n: int, slot: int) -> None:
        """The game of environment `n` is cut off where it was last seen, earns nothing and is no score."""
        block = self._block
        self._strayed.discard(n)
        self._rest(n, slot)
        block["truncated"][slot, n] = True
        block["final_obs"][slot % 2, n] = block["obs"][slot - 1, n]
        block["ended"][slot % 2, n] = ABANDONED
        self._begin_next_game(n, slot)

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
            block["ended"][slot % 2, n] = ENDED
            self._begin_next_game(n, slot)

    def _begin_next_game(self, n: int, slot: int) -> None:
        self._episodes[n] += 1
        self._place.enter(n, self._episodes[n])
        self._envs[n].new_game(episode_seed(self._task.seed, n, self._episodes[n]), self._block["obs"][slot, n])
