"""Remembered experience: every screen once, drawn from at random.

Of an observation with `K` screens side by side on its last axis only the newest is kept. Where an
episode begins all `K` are, so that the `K` screens that end with a step's newest are always what was
seen then, and no stack reaches across the border of an episode.

    steps    ... | a0 a1 a2 | b0 b1 ...           `a2` was cut off: its last observation is kept too
    screens  ... | A A A A1 A2 Ax | B B B B1 ...  (K = 3)
"""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.errors import CheckpointError, ConfigError
from paac_cli.learning.variables import check_fit
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

_SPARE = 32  # one screen in so many is for the beginnings and ends of episodes


class Replayed(NamedTuple):
    """A batch of `B` transitions of `n` steps; screens are [B, K, ...], oldest first."""

    screens: NDArray  #: of the observation that the action answered
    action: NDArray  #: [B, ...]
    reward: NDArray  #: [B] float32, discounted sum up to n steps on, or to the end of the episode
    discount: NDArray  #: [B] float32, of the value of the next observation; 0 after a true end
    next_screens: NDArray  #: of the observation after those steps, or of the last before a cut
    place: NDArray  #: [B] int64, by which `set_priorities` finds them again
    weight: NDArray  #: [B] float32, of each in the loss; the largest is 1


class ReplayBuffer:
    """The latest `capacity` transitions of `N` environments, in as many rings. A `State`."""

    def __init__(
        self, spec: EnvSpec, num_envs: int, *, capacity: int, n_step: int, gamma: float, alpha: float = 0.0
    ) -> None:
        """alpha: how much priorities count in drawing (0: not at all, and none are kept)."""
        self._screens_per_obs = spec.frame_stack
        *rest, channels = spec.obs_shape if spec.frame_stack > 1 else (*spec.obs_shape, 0)
        screen = (*rest, channels // spec.frame_stack) if spec.frame_stack > 1 else spec.obs_shape
        self._steps_kept = steps = max(-(-capacity // num_envs), n_step + 1)
        self._screens_kept = screens = steps + steps // _SPARE + 2 * spec.frame_stack
        self._n_step, self._gamma, self._alpha = n_step, gamma, alpha
        self._screens_like = (num_envs, screens, *screen), spec.obs_dtype
        self._newest = np.zeros((num_envs, steps), np.int64)  # of each step: number of its newest screen
        self._action = np.zeros((num_envs, steps, *spec.action.shape), spec.action.dtype)
        self._reward = np.zeros((num_envs, steps), np.float32)
        self._terminated = np.zeros((num_envs, steps), np.bool_)
        self._truncated = np.zeros((num_envs, steps), np.bool_)
        self._num_screens = np.zeros(num_envs, np.int64)  # written since the beginning
        self._oldest = np.zeros(num_envs, np.int64)  # step that can still be drawn
        self._num_steps = np.zeros((), np.int64)  # written since the beginning, the same for all
        self._priorities = SumTree(num_envs * steps) if alpha > 0.0 else None
        self._highest_priority = np.ones(())

    @cached_property
    def _screens(self) -> NDArray:
        """[N, screens, ...]. Who only plays never needs it; and zeros that nobody has written take no memory yet."""
        try:
            return np.zeros(*self._screens_like)
        except MemoryError as error:
            raise ConfigError(f"algorithm.buffer_size is too large for the memory of this machine: {error}") from error

    def __len__(self) -> int:
        """Transitions that can be drawn."""
        return int(np.maximum(self._end - self._oldest, 0).sum())

    @property
    def has_begun(self) -> bool:
        return bool(self._num_screens[0])

    def begin(self, obs: NDArray) -> None:
        """Take the first observations [N, ...], before any step."""
        for n in range(len(obs)):
            self._push_screens(n, self._split(obs[n]))

    def add(self, action: NDArray, step: TimeStep) -> None:
        """Take one step of all environments: the actions [N, ...] and what they led to."""
        at = int(self._num_steps) % self._steps_kept
        self._newest[:, at] = self._num_screens - 1
        self._action[:, at], self._reward[:, at] = action, step.reward
        self._terminated[:, at], self._truncated[:, at] = step.terminated, step.truncated
        self._num_steps += 1
        for n, ended in enumerate(step.terminated | step.truncated):
            if step.truncated[n]:
                self._push_screens(n, self._split(step.final_obs[n])[-1:])
            self._push_screens(n, self._split(step.obs[n])[0 if ended else -1 :])
        self._forget()

    def sample(self, rng: np.random.Generator, size: int, beta: float = 0.0) -> Replayed:
        """Draw `size` transitions. beta: how much of the priorities' bias the weights make good."""
        if self._priorities is None:
            ends = np.cumsum(np.maximum(self._end - self._oldest, 0))
            drawn = rng.integers(ends[-1], size=size)
            n = np.searchsorted(ends, drawn, side="right")
            t = self._end - (ends[n] - drawn)
            weight = np.ones(size, np.float32)
        else:
            # One from each of `size` equal parts of the sum (Schaul et al. 2016, arXiv 1511.05952, B.2.1).
            mass = (np.arange(size) + rng.random(size)) / size * self._priorities.total
            place, priority = self._priorities.find(mass)
            n, slot = np.divmod(place, self._steps_kept)
            t = self._end - 1 - (self._end - 1 - slot) % self._steps_kept
            probability = priority / self._priorities.total
            scaled = (len(self) * probability) ** -beta
            weight = (scaled / scaled.max()).astype(np.float32)
        return self._transitions(n, t, weight)

    def set_priorities(self, place: NDArray, error: NDArray) -> None:
        """Note how far off the values of drawn transitions were; places and errors [B]."""
        if self._priorities is None:
            return
        priority = np.abs(error).astype(np.float64) + 1e-6
        np.maximum(self._highest_priority, priority.max(), out=self._highest_priority)
        still_there = self._priorities.leaves(place) > 0.0
        self._priorities.set(place[still_there], priority[still_there] ** self._alpha)

    def to_arrays(self) -> dict[str, NDArray]:
        """Views, not copies, of what has been written so far."""
        return self._written(int(self._num_screens.max()), int(self._num_steps))

    def assign(self, arrays: Mapping[str, NDArray]) -> None:
        counts = {name: arrays[name] for name in ("num_screens", "num_steps") if name in arrays}
        check_fit(counts, {name: (self._all[name].shape, np.int64) for name in ("num_screens", "num_steps")})
        if min(array.min() for array in counts.values()) < 0:
            raise CheckpointError("the checkpoint holds a replay buffer of less than nothing")
        ours = self._written(int(counts["num_screens"].max()), int(counts["num_steps"]))
        check_fit(arrays, {name: (array.shape, array.dtype.type) for name, array in ours.items()})
        for name, array in ours.items():
            array[...] = arrays[name]

    @property
    def _end(self) -> int:
        """One after the last step whose n steps are known."""
        return int(self._num_steps) - self._n_step + 1

    @property
    def _rings(self) -> dict[str, NDArray]:
        return {
            "screens": self._screens,
            "newest": self._newest,
            "action": self._action,
            "reward": self._reward,
            "terminated": self._terminated,
            "truncated": self._truncated,
        }

    @property
    def _all(self) -> dict[str, NDArray]:
        tree = {} if self._priorities is None else {"priorities": self._priorities.nodes}
        counts = {"num_screens": self._num_screens, "oldest": self._oldest, "num_steps": self._num_steps}
        return self._rings | counts | {"highest_priority": self._highest_priority} | tree

    def _written(self, num_screens: int, num_steps: int) -> dict[str, NDArray]:
        """All arrays, the rings as far as they are written after so many screens and steps."""
        ends = {name: min(num_steps, self._steps_kept) for name in self._rings}
        ends["screens"] = min(num_screens, self._screens_kept)
        return {name: array[:, : ends[name]] if name in ends else array for name, array in self._all.items()}

    def _split(self, obs: NDArray) -> NDArray:
        """[..., K * C] -> [K, ..., C], oldest screen first."""
        k = self._screens_per_obs
        return obs[np.newaxis] if k == 1 else np.moveaxis(obs.reshape(*obs.shape[:-1], k, -1), -2, 0)

    def _push_screens(self, n: int, screens: NDArray) -> None:
        for screen in screens:
            self._screens[n, self._num_screens[n] % self._screens_kept] = screen
            self._num_screens[n] += 1

    def _forget(self) -> None:
        """Steps that are overwritten, or whose screens are, can no longer be drawn; one more can be."""
        before = self._oldest.copy()
        np.maximum(self._oldest, int(self._num_steps) - self._steps_kept, out=self._oldest)
        gone = self._num_screens - self._screens_kept  # screens before this one are overwritten
        envs = np.arange(len(self._oldest))
        while True:
            first = self._newest[envs, self._oldest % self._steps_kept] - (self._screens_per_obs - 1)
            late = (first < gone) & (self._oldest < self._num_steps)
            if not late.any():
                break
            self._oldest += late
        if self._priorities is None:
            return
        lost = [
            n * self._steps_kept + np.arange(before[n], self._oldest[n]) % self._steps_kept
            for n in np.flatnonzero(self._oldest > before)
        ]
        if lost:
            places = np.concatenate(lost)
            self._priorities.set(places, np.zeros(len(places)))
        if self._end > 0:
            new = envs[self._oldest < self._end] * self._steps_kept + (self._end - 1) % self._steps_kept
            self._priorities.set(new, np.full(len(new), float(self._highest_priority) ** self._alpha))

    def _transitions(self, n: NDArray, t: NDArray, weight: NDArray) -> Replayed:
        steps = t[:, np.newaxis] + np.arange(self._n_step)
        slots, rows = steps % self._steps_kept, n[:, np.newaxis]
        ended = self._terminated[rows, slots] | self._truncated[rows, slots]
        # A step counts until the episode has ended before it.
        alive = np.cumsum(ended, axis=1) - ended == 0
        powers = self._gamma ** np.arange(self._n_step + 1)
        reward = (self._reward[rows, slots] * alive * powers[:-1]).sum(axis=1)
        length = alive.sum(axis=1)
        last = slots[np.arange(len(t)), length - 1]
        discount = powers[length] * ~self._terminated[n, last]
        return Replayed(
            screens=self._stack(n, self._newest[n, t % self._steps_kept]),
            action=self._action[n, t % self._steps_kept],
            reward=reward.astype(np.float32),
            discount=discount.astype(np.float32),
            next_screens=self._stack(n, self._newest[n, last] + 1),  # after a true end it is another's, and counts 0
            place=n * self._steps_kept + t % self._steps_kept,
            weight=weight,
        )

    def _stack(self, n: NDArray, newest: NDArray) -> NDArray:
        """The screens [B, K, ...] that end with the `newest` [B]."""
        k = self._screens_per_obs
        numbers = newest[:, np.newaxis] + np.arange(1 - k, 1)
        return self._screens[n[:, np.newaxis], numbers % self._screens_kept]


class SumTree:
    """Numbers >= 0, found by where they lie in their sum.

    A binary tree in one array: node `i` is the sum of `2i` and `2i + 1`; the numbers are its last level.
    """

    def __init__(self, size: int) -> None:
        self._first = 1 << max(size - 1, 1).bit_length()
        self.nodes = np.zeros(2 * self._first)

    @property
    def total(self) -> float:
        return float(self.nodes[1])

    def leaves(self, index: NDArray) -> NDArray:
        """The numbers at `index` [B]."""
        return self.nodes[self._first + index]

    def set(self, index: NDArray, value: NDArray) -> None:
        """Set the numbers at `index` [B] to `value` [B]; of equal indices the last counts."""
        node = self._first + index
        self.nodes[node] = value
        while len(node) and node[0] > 1:
            node = np.unique(node // 2)
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1]

    def find(self, mass: NDArray) -> tuple[NDArray, NDArray]:
        """Index [B] and value of the numbers in whose share of the sum `mass` [B] falls; mass in [0, total)."""
        node, mass = np.ones(len(mass), np.int64), mass.copy()
        while node[0] < self._first:
            left = self.nodes[2 * node]
            goes_right = (mass >= left) & (self.nodes[2 * node + 1] > 0.0)
            mass -= np.where(goes_right, left, 0.0)
            node = 2 * node + goes_right
        return node - self._first, self.nodes[node]
