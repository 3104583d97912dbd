"""The histories of the environments: for each, the game that it plays, its actions so far and the sum of its rewards.

A game is a function of its seed and its actions. So a history determines the state of its environment: replaying the
actions restores that state bit for bit. The sum of the rewards and a digest of the observation verify the replay.
"""

import hashlib
import math
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.errors import CheckpointError
from paac_cli.sampling.shared_block import SharedBlock
from paac_cli.sampling.slots import Slots
from paac_cli.seeding import episode_seed, integer_seed
from paac_cli.spec import ActionSpec

UNKNOWN = 0  #: in place of a digest


class EnvHistory(NamedTuple):
    """What a worker needs to replay the current game of one environment, and to verify the result."""

    episode: int  #: index of the game, from 0
    actions: NDArray  #: [L, ...] since the game began
    reward_sum: float  #: of the rewards for these actions
    obs_digests: tuple[int, ...] = ()  #: the observation after the replay must have one of them; empty: not verified


class WorkerState(NamedTuple):
    """To what state a worker brings its environments."""

    slot: int  #: of the latest observation
    histories: dict[int, EnvHistory]  #: by index of the environment
    first_seed: int = 0  #: environment n plays the games of environment `first_seed + n`


def digest(obs: NDArray) -> int:
    """A 64-bit hash of an observation; never `UNKNOWN`."""
    return int.from_bytes(hashlib.blake2b(obs.tobytes(), digest_size=8).digest(), "little") or 1


class ActionLog:
    """The game index, actions and reward sum of each of `N` environments. The learner keeps it: it sends the actions.

    Rows are counted from 0, whatever the indices of the environments are.
    """

    def __init__(self, num_envs: int, action: ActionSpec) -> None:
        self._action, self._packed_size = action, max(math.prod(action.shape) * action.dtype.itemsize, 1)
        self._episodes = [0] * num_envs
        self._actions = [bytearray() for _ in range(num_envs)]  # packed: a game may have 27,000 steps
        self._reward_sum = np.zeros(num_envs)
        self._marked = [(0, 0)] * num_envs  # game index and number of actions at the mark
        self._marked_reward_sum = self._reward_sum.copy()
        self._ended_since_mark: dict[int, bytearray] = {}  # actions of the games that were current at the mark

    def __getitem__(self, row: int) -> EnvHistory:
        actions = np.frombuffer(bytes(self._actions[row]), self._action.dtype)
        return EnvHistory(self._episodes[row], actions.reshape(-1, *self._action.shape), float(self._reward_sum[row]))

    def append(
        self,
        actions: NDArray,
        active: NDArray[np.bool_],
        reward: NDArray[np.float32],
        ended: NDArray[np.uint8],
    ) -> None:
        """Record one step.

        actions: [N, ...], of which only the `active` [N] rows were played.
        reward:  [N], 0 for rows that are not active.
        ended:   [N], not 0 where the game ended with this step.
        """
        packed = np.ascontiguousarray(actions, self._action.dtype).tobytes()
        size = len(packed) // len(active)
        for row in np.flatnonzero(active).tolist():
            self._actions[row] += packed[row * size : (row + 1) * size]
        self._reward_sum += reward
        for row in np.flatnonzero(ended).tolist():
            self._reward_sum[row] = 0.0
            self._ended_since_mark.setdefault(row, self._actions[row])
            self._episodes[row] += 1
            self._actions[row] = bytearray()

    def mark(self) -> None:
        """Make the present state the one that `at_mark` returns."""
        self._marked = [(episode, len(packed)) for episode, packed in zip(self._episodes, self._actions, strict=True)]
        self._marked_reward_sum = self._reward_sum.copy()
        self._ended_since_mark = {}

    def longest_at_mark(self) -> tuple[int, int]:
        """(row, steps) of the longest game at the latest `mark`."""
        lengths = [length for _, length in self._marked]
        row = max(range(len(lengths)), key=lengths.__getitem__)
        return row, lengths[row] // self._packed_size

    def at_mark(self) -> Self:
        """A copy of the log as it was at the latest `mark`."""
        log = type(self)(len(self._actions), self._action)
        log._reward_sum = self._marked_reward_sum.copy()
        for row, (episode, length) in enumerate(self._marked):
            log._episodes[row] = episode
            log._actions[row] = self._ended_since_mark.get(row, self._actions[row])[:length]
        return log

    def to_arrays(self) -> dict[str, NDArray]:
        """`episode` [N] int64, `length` [N] int64, `reward_sum` [N] float64 and `actions` [sum of lengths, ...]."""
        actions = [self[row].actions for row in range(len(self._actions))]
        return {
            "episode": np.array(self._episodes, np.int64),
            "length": np.array([len(played) for played in actions], np.int64),
            "reward_sum": self._reward_sum.copy(),
            "actions": np.concatenate(actions),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray], action: ActionSpec) -> Self:
        """The log whose `to_arrays` gave `arrays`."""
        log = cls(len(arrays["episode"]), action)
        log._episodes = arrays["episode"].tolist()
        log._reward_sum = arrays["reward_sum"].copy()
        games = np.split(arrays["actions"], np.cumsum(arrays["length"])[:-1])
        log._actions = [bytearray(game.tobytes()) for game in games]
        return log


class Histories:
    """The histories of a pool's environments: what a checkpoint holds of them and what a restarted worker needs."""

    def __init__(
        self, block: SharedBlock, envs: range, slots: Slots, action: ActionSpec, seed: int, first_env: int
    ) -> None:
        """first_env: index of environment 0 among those of all processes that train together."""
        rows = slice(envs.start, envs.stop)
        self._obs, self._reward = block["obs"][:, rows], block["reward"][:, rows]
        self._actions, self._active, self._ended = (block[name][rows] for name in ("actions", "active", "ended"))
        self._envs, self._slots, self._action, self._seed = envs, slots, action, seed
        self._log = ActionLog(len(envs), action)
        self._first_env = self._first_seed = first_env
        self._expected: NDArray[np.uint64] | None = None  # [N] digests to which the environments are being restored

    def reset(self, first_seed: int | None = None) -> None:
        """Every environment is about to start its first game. first_seed: as in `WorkerState`; None: `first_env`."""
        self._log = ActionLog(len(self._envs), self._action)
        self._first_seed = self._first_env if first_seed is None else first_seed
        self._expected = np.full(len(self._envs), UNKNOWN, np.uint64)

    def load(self, arrays: dict[str, NDArray]) -> None:
        """Every environment is about to be restored to what `to_arrays` gave. Raises CheckpointError if it differs."""
        check_arrays(arrays, len(self._envs), self._action)
        self._log, self._first_seed = ActionLog.from_arrays(arrays, self._action), self._first_env
        self._expected = arrays["obs_digest"]

    def finish_restore(self) -> None:
        """The environments are restored: from now on shared memory holds the observations that a replay must give."""
        self._expected = None

    def mark(self) -> None:
        """A rollout begins. `to_arrays(at_mark=True)` goes back to here."""
        self._log.mark()

    def longest_at_mark(self) -> tuple[int, int]:
        """(environment, steps) of the longest game at the latest `mark`."""
        row, steps = self._log.longest_at_mark()
        return self.index_of(self._envs.start + row), steps

    def record_step(self) -> None:
        """Record the step that is now in the current slot."""
        self._log.append(self._actions, self._active, self._reward[self._slots.current], self._ended)

    def to_arrays(self, *, at_mark: bool = False) -> dict[str, NDArray]:
        """The arrays of `ActionLog.to_arrays` and `obs_digest` [N] uint64.

        at_mark: as they were when the current rollout began. A digest is `UNKNOWN` if its observation is overwritten.
        """
        log = self._log.at_mark() if at_mark else self._log
        slot = self._slots.with_first_obs if at_mark else self._slots.current
        digests = [UNKNOWN if slot is None else digest(self._obs[slot, row]) for row in range(len(self._envs))]
        return log.to_arrays() | {"obs_digest": np.array(digests, np.uint64)}

    def worker_state(self, envs: range) -> WorkerState:
        """The state to which a worker must bring its environments `envs` before it plays the next step."""
        histories = {}
        for env in envs:
            row = env - self._envs.start
            histories[env] = self._log[row]._replace(obs_digests=self._digests(row))
        return WorkerState(self._slots.current, histories, self._first_seed)

    def is_unplayed(self, env: int) -> bool:
        """Whether environment `env` has played no step of its current game."""
        return len(self._log[env - self._envs.start].actions) == 0

    def index_of(self, env: int) -> int:
        """The index of environment `env` among those of all processes that train together."""
        return self._first_env + env

    def name_game(self, env: int, game: int) -> str:
        """The game of index `game` of environment `env`, human-readable."""
        seed = integer_seed(episode_seed(self._seed, self._first_seed + env, game))
        return f"game {game} (seed {seed}) of environment {self.index_of(env)}"

    def describe(self, env: int, game: int) -> str:
        """What environment `env` is doing in its game of index `game`, human-readable."""
        history = self._log[env - self._envs.start]
        step = len(history.actions) + 1 if history.episode == game else 0
        action = self._actions[env - self._envs.start].tolist()
        moment = f"step {step} (action {action})" if step else "the start"
        return f"{moment} of {self.name_game(env, game)}"

    def _digests(self, row: int) -> tuple[int, ...]:
        if self._expected is not None:
            return () if self._expected[row] == UNKNOWN else (int(self._expected[row]),)
        return tuple(digest(self._obs[slot, row]) for slot in self._slots.with_latest_obs)


def own_histories(arrays: dict[str, NDArray], envs: range, num_envs: int) -> dict[str, NDArray]:
    """The part of a snapshot of `num_envs` environments that is about `envs`."""
    if len(envs) == num_envs:
        return arrays
    ends = np.cumsum(arrays["length"])
    first, last = (int(ends[index - 1]) if index else 0 for index in (envs.start, envs.stop))
    rows = slice(envs.start, envs.stop)
    return {name: array[first:last] if name == "actions" else array[rows] for name, array in arrays.items()}


def check_arrays(arrays: dict[str, NDArray], num_envs: int, action: ActionSpec) -> None:
    """Raise CheckpointError unless `arrays` are the histories of `num_envs` environments with such actions."""
    per_env = {"episode": np.int64, "length": np.int64, "reward_sum": np.float64, "obs_digest": np.uint64}
    for name, dtype in per_env.items():
        _check_array(arrays, name, (num_envs,), np.dtype(dtype))
    _check_array(arrays, "actions", (int(arrays["length"].sum()), *action.shape), action.dtype)


def _check_array(arrays: dict[str, NDArray], name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    array = arrays.get(name)
    if array is None:
        found = "is missing"
    elif (array.shape, array.dtype) != (shape, dtype):
        found = f"is {list(array.shape)} {array.dtype}, not {list(shape)} {dtype}"
    else:
        return
    raise CheckpointError(
        f"this checkpoint was made with other environments: the array {name!r} of their histories {found}"
    )
