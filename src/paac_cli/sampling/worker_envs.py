"""The environments of a worker: steps with autoreset into shared memory, and replays of unfinished games."""

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.envs.env import Action, Env
from paac_cli.envs.make import make_env
from paac_cli.envs.placeholders import Copy
from paac_cli.sampling.closing import CloseProblems, close_all
from paac_cli.sampling.games import Games
from paac_cli.sampling.history import EnvHistory, WorkerState, digest
from paac_cli.sampling.layout import ABANDONED, ENDED, NO_ENV
from paac_cli.sampling.limited_env import LimitedEnv
from paac_cli.sampling.shared_block import SharedBlock
from paac_cli.seeding import episode_seed


class WorkerTask(NamedTuple):
    """What a worker gets when it starts."""

    worker: int  #: its index, which is also its row in the arrays of workers
    envs: range  #: indices of its environments
    games: Games
    block: SharedBlock
    core: int | None  #: to which the worker is pinned; None: the system decides
    close_timeout: float  #: seconds that `close` of an environment may take
    spin: float  #: seconds to wait actively for a command

    @property
    def name(self) -> str:
        """Human-readable."""
        first, last = self.copy_of(self.envs.start), self.copy_of(self.envs.stop - 1)
        return f"worker {first.worker_index} (environments {first.env_index}-{last.env_index})"

    def copy_of(self, env: int) -> Copy:
        """Which copy of its environment environment `env` is."""
        first = self.games.first
        return Copy(first.env_index + env, first.worker_index + self.worker)


class Activity:
    """What this worker is doing, in shared memory: for messages, and as a sign of progress."""

    def __init__(self, task: WorkerTask) -> None:
        own = task.block["activity"][task.worker : task.worker + 1]
        self._env, self._game = memoryview(own["env"].data), memoryview(own["game"].data)
        self._closed_env, self._heartbeats = memoryview(own["closed_env"].data), memoryview(own["heartbeats"].data)

    def enter(self, env: int, game: int) -> None:
        """The worker makes, resets or steps environment `env` in its game of index `game`."""
        self._env[0], self._game[0] = env, game
        self._heartbeats[0] += 1

    def enter_close(self, env: int) -> None:
        """The worker closes environment `env`. If that follows an error, what it did before remains readable."""
        self._closed_env[0] = env
        self._heartbeats[0] += 1

    def leave(self) -> None:
        """The worker is in no environment."""
        self._env[0] = NO_ENV


class _Arrays(NamedTuple):
    """What a step writes: arrays of the shared memory, as `layout.py` describes them."""

    obs: NDArray
    reward: NDArray
    terminated: NDArray
    truncated: NDArray
    ended: NDArray
    episodes: NDArray
    final_obs: NDArray


class WorkerEnvs:
    """The environments of a worker."""

    def __init__(self, task: WorkerTask, activity: Activity) -> None:
        self._task, self._activity, self._block = task, activity, task.block
        self._arrays = _Arrays(*(task.block[name] for name in _Arrays._fields))
        self._envs: dict[int, Env] = {}
        self._episodes = dict.fromkeys(task.envs, 0)  # index of the current game
        self._slot = 0  # of the latest observation
        self._first_seed = 0  # environment n plays the games of environment `_first_seed + n`
        self._diverged: set[int] = set()  # environments whose game is truncated at the next step

    def make(self) -> None:
        """Make all environments."""
        games = self._task.games
        for n in self._task.envs:
            self._activity.enter(n, game=0)
            env = make_env(games.env_config, copy=self._task.copy_of(n))
            self._envs[n] = env if games.max_steps is None else LimitedEnv(env, games.max_steps)

    def close(self) -> CloseProblems:
        """Close all environments, also if one of them raises or hangs."""
        return close_all(self._envs, self._task.close_timeout, self._activity.enter_close)

    def prepare(self) -> bool:
        """Do a part of what later games need; False if nothing is left to do."""
        return next(iter(self._envs.values())).prepare()

    def restore(self, state: WorkerState) -> None:
        """Bring every environment to the end of its history."""
        self._slot, self._first_seed = state.slot, state.first_seed
        self._diverged.clear()
        for n, history in state.histories.items():
            self._replay(n, history)

    def _replay(self, n: int, history: EnvHistory) -> None:
        """Replay the actions of environment `n`. If the rewards or the observation differ, its game is truncated."""
        env, row = self._envs[n], self._block["obs"][self._slot, n]
        obs, game_over, reward_sum = np.empty_like(row), False, 0.0
        self._episodes[n] = history.episode
        self._activity.enter(n, history.episode)
        env.new_game(self._seed(n), obs)
        for action in history.actions:
            self._activity.enter(n, history.episode)
            outcome = env.step(action, obs)
            reward_sum += float(np.float32(outcome.reward))  # rounded as in shared memory, which the learner summed
            game_over = outcome.game_over
            if game_over:
                break
        digests = history.obs_digests
        if game_over or reward_sum != history.reward_sum or (digests and digest(obs) not in digests):
            self._diverged.add(n)
            self._block["diverged"][n] = True
            if digest(row) in digests:  # keep what the learner has seen; with T = 1 it may be the next observation
                return
        row[...] = obs

    def step(self) -> None:
        """Play the learner's actions. Slot `T` of a rollout is slot 0 of the next."""
        begin = time.perf_counter()
        obs, actions, active = self._arrays.obs, self._block["actions"], self._block["active"].tolist()
        rows = slice(self._task.envs.start, self._task.envs.stop)
        if self._slot == len(obs) - 1:
            obs[0, rows] = obs[self._slot, rows]
            self._slot = 0
        self._slot += 1
        self._arrays.ended[rows] = 0
        for n in self._task.envs:
            self._activity.enter(n, self._episodes[n])
            if not active[n]:
                self._hold(n)
            elif n in self._diverged:
                self._abandon(n)
            else:
                self._advance(n, actions[n])
        self._block["busy"][self._task.worker] += time.perf_counter() - begin

    def _hold(self, n: int) -> None:
        """Environment `n` does not play this step and keeps its state."""
        arrays, slot = self._arrays, self._slot
        arrays.obs[slot, n] = arrays.obs[slot - 1, n]
        arrays.reward[slot, n] = arrays.terminated[slot, n] = arrays.truncated[slot, n] = 0

    def _abandon(self, n: int) -> None:
        """Truncate the game of environment `n` at the latest observation, without a reward and without a score."""
        arrays, slot = self._arrays, self._slot
        self._diverged.discard(n)
        self._hold(n)
        arrays.truncated[slot, n] = True
        arrays.final_obs[n] = arrays.obs[slot - 1, n]
        arrays.ended[n] = ABANDONED
        self._begin_next_game(n)

    def _advance(self, n: int, action: Action) -> None:
        """One step of environment `n`, with same-step autoreset."""
        arrays, env, slot = self._arrays, self._envs[n], self._slot
        out = arrays.obs[slot, n]
        outcome = env.step(action, out)
        arrays.reward[slot, n] = outcome.reward
        arrays.terminated[slot, n] = outcome.terminated
        arrays.truncated[slot, n] = outcome.truncated
        if outcome.truncated:
            arrays.final_obs[n] = out
        if outcome.game_over:
            info = env.info_numbers(self._task.games.info_keys)
            arrays.episodes[n] = (n, self._episodes[n], env.score, env.length, *info)
            arrays.ended[n] = ENDED
            self._begin_next_game(n)

    def _begin_next_game(self, n: int) -> None:
        self._episodes[n] += 1
        self._activity.enter(n, self._episodes[n])
        self._envs[n].new_game(self._seed(n), self._block["obs"][self._slot, n])

    def _seed(self, n: int) -> np.random.SeedSequence:
        """The seed of the current game of environment `n`."""
        return episode_seed(self._task.games.seed, self._first_seed + n, self._episodes[n])
