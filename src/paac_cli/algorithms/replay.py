"""A replay buffer that stores every frame once.

An observation holds `K` stacked frames on its last axis. The first observation of an episode is stored with all its
frames, every later one with its newest frame only, and so is the final observation of a truncated episode. Therefore
the observation of a step consists of the `K` stored frames that end with its newest one, all of the same episode.

An episode of three steps that is truncated, and the start of the next one, with K = 3. The number under a step is the
frame that its observation ends with:

    stored frames    0 1 2 3 4 5 | 6 7 8 9
    steps                2 3 4   |     8 9        frame 5 belongs to the final observation, frames 3 4 5
"""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.algorithms.sum_tree import SumTree
from paac_cli.errors import CheckpointError, ConfigError
from paac_cli.learning.variables import check_fit
from paac_cli.memory import require_memory
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep

_REMEDY = "lower algorithm.buffer_size, or use smaller observations"
_STEPS_PER_SPARE_FRAME = 32  # an episode stores more frames than it has steps: at its start, and if it is truncated


class ReplayBatch(NamedTuple):
    """`B` transitions of `n` steps each, or fewer if the episode ends before."""

    frames: NDArray  #: [B, K, ...], oldest first: the observation from which the action was chosen
    action: NDArray  #: [B, ...]
    reward: NDArray  #: [B] float32, discounted sum of the rewards of these steps
    discount: NDArray  #: [B] float32, gamma to the power of the number of steps; 0 if the episode terminated
    next_frames: NDArray  #: [B, K, ...], oldest first: the observation after these steps; not valid if `discount` is 0
    indices: NDArray  #: [B] int64, of the transitions in the buffer, for `set_priorities`
    weight: NDArray  #: [B] float32, importance-sampling weight in the loss; the largest is 1


class ReplayBuffer:
    """The latest transitions of `N` environments, up to `capacity`, in one ring buffer per environment. A `State`.

    It holds fewer if observations are stacked frames and episodes are shorter than about `32 * K` steps.

    The steps and frames of an environment are numbered from the start of the run: step `t` is in slot `t % max_steps`,
    frame `i` in slot `i % max_frames`.
    """

    def __init__(
        self,
        spec: EnvSpec,
        num_envs: int,
        *,
        capacity: int,
        n_step: int,
        gamma: float,
        alpha: float = 0.0,
        total_steps: int | None = None,
    ) -> None:
        """alpha: priority exponent; 0 = uniform sampling, and no priorities are stored.

        total_steps: of the run, in all environments; a shorter run needs less memory. None: any number.
        """
        self._frames_per_obs = k = spec.frame_stack
        frame_shape = (*spec.obs_shape[:-1], spec.obs_shape[-1] // k) if k > 1 else spec.obs_shape
        self._max_steps = steps = max(-(-capacity // num_envs), n_step + 1)  # per environment, like max_frames
        self._max_frames = frames = steps + steps // _STEPS_PER_SPARE_FRAME + 2 * k
        self._n_step, self._gamma, self._alpha = n_step, gamma, alpha
        self._frames_layout = (num_envs, frames, *frame_shape), spec.obs_dtype
        self._memory_share = 1.0 if total_steps is None else min(1.0, total_steps / (steps * num_envs))
        self._newest = np.zeros((num_envs, steps), np.int64)  # number of the newest frame of each step's observation
        self._action = np.zeros((num_envs, steps, *spec.action.shape), spec.action.dtype)
        self._reward = np.zeros((num_envs, steps), np.float32)
        self._terminated = np.zeros((num_envs, steps), np.bool_)
        self._truncated = np.zeros((num_envs, steps), np.bool_)
        self._num_frames = np.zeros(num_envs, np.int64)  # added so far
        self._oldest = np.zeros(num_envs, np.int64)  # number of the first step that can be sampled
        self._num_steps = np.zeros((), np.int64)  # added so far, the same for all environments
        self._priorities = SumTree(num_envs * steps) if alpha > 0.0 else None
        self._highest_priority = np.ones(())

    @cached_property
    def _frames(self) -> NDArray:
        """[N, max_frames, ...], zeros, whose pages take no memory before they are written.

        Allocated on first use, because an agent that only plays does not need it. Raises ConfigError if the memory that
        the run will use is not available.
        """
        shape, dtype = self._frames_layout
        size = round(self._memory_share * math.prod(shape) * np.dtype(dtype).itemsize)
        require_memory(size, "the observations in the replay buffer", _REMEDY)
        try:
            return np.zeros(shape, dtype)
        except MemoryError as error:  # e.g. a resource limit of this process
            raise ConfigError(f"the replay buffer cannot be allocated: {error}; {_REMEDY}") from error

    def __len__(self) -> int:
        """Number of transitions that can be sampled."""
        return int(np.maximum(self._end - self._oldest, 0).sum())

    def can_sample(self, size: int) -> bool:
        """Whether `sample` may draw `size` transitions: so many were complete at some time, and some are stored now."""
        return self._end * len(self._oldest) >= size and len(self) > 0

    @property
    def has_begun(self) -> bool:
        """Whether `begin` was called, now or before the buffer was saved."""
        return bool(self._num_frames[0])

    def begin(self, obs: NDArray) -> None:
        """Store the first observations [N, ...] of the run, before any step."""
        for n in range(len(obs)):
            self._add_frames(n, self._split(obs[n]))

    def add(self, action: NDArray, step: TimeStep) -> None:
        """Store one step of all environments: `action` [N, ...], and `step`, their outcome."""
        slot = int(self._num_steps) % self._max_steps
        self._newest[:, slot] = self._num_frames - 1
        self._action[:, slot], self._reward[:, slot] = action, step.reward
        self._terminated[:, slot], self._truncated[:, slot] = step.terminated, step.truncated
        self._num_steps += 1
        for n, ended in enumerate(step.terminated | step.truncated):
            if step.truncated[n]:
                self._add_frames(n, self._split(step.final_obs[n])[-1:])
            self._add_frames(n, self._split(step.obs[n])[0 if ended else -1 :])
        oldest_before = self._oldest.copy()
        self._drop_overwritten()
        if self._priorities is not None:
            self._update_priorities(oldest_before)

    def sample(self, rng: np.random.Generator, size: int, beta: float = 0.0) -> ReplayBatch:
        """Sample `size` transitions, with replacement. The buffer must hold at least one.

        beta: importance-sampling exponent; with 1 the weights correct the bias of prioritised sampling completely.
        """
        if self._priorities is None:
            ends = np.cumsum(np.maximum(self._end - self._oldest, 0))
            drawn = rng.integers(ends[-1], size=size)
            n = np.searchsorted(ends, drawn, side="right")
            t = self._end - (ends[n] - drawn)
            weight = np.ones(size, np.float32)
        else:
            # Stratified: one from each of `size` equal parts of the sum (Schaul et al. 2016, arXiv 1511.05952, B.2.1).
            position = (np.arange(size) + rng.random(size)) / size * self._priorities.total
            indices, priority = self._priorities.find(position)
            n, t = self._positions(indices)
            probability = priority / self._priorities.total
            unscaled = (len(self) * probability) ** -beta
            weight = (unscaled / unscaled.max()).astype(np.float32)
        return self._transitions(n, t, weight)

    def batch(self, indices: NDArray, weight: NDArray) -> ReplayBatch:
        """The transitions with these `indices` [B], drawn since the latest `add`. weight: [B]."""
        return self._transitions(*self._positions(indices), weight)

    def set_priorities(self, indices: NDArray, error: NDArray) -> None:
        """Set the priorities of transitions from their TD errors [B]. indices: [B] int64, drawn since the latest `add`.

        The buffer must have priorities.
        """
        assert self._priorities is not None
        priority = np.abs(error).astype(np.float64) + 1e-6
        np.maximum(self._highest_priority, priority.max(), out=self._highest_priority)
        self._priorities.set(indices, priority**self._alpha)

    def to_arrays(self) -> dict[str, NDArray]:
        """Name -> view, not a copy, of the used part of each array."""
        return self._used(int(self._num_frames.max()), int(self._num_steps))

    def assign(self, arrays: Mapping[str, NDArray]) -> None:
        counts = {name: arrays[name] for name in ("num_frames", "num_steps") if name in arrays}
        check_fit(counts, {name: (self._arrays[name].shape, np.int64) for name in ("num_frames", "num_steps")})
        if min(array.min() for array in counts.values()) < 0:
            raise CheckpointError("the checkpoint's replay buffer has a negative number of frames or steps")
        own = self._used(int(counts["num_frames"].max()), int(counts["num_steps"]))
        check_fit(arrays, {name: (array.shape, array.dtype.type) for name, array in own.items()})
        for name, array in own.items():
            array[...] = arrays[name]

    @property
    def _end(self) -> int:
        """Number of the first step whose n steps are incomplete. Steps `_oldest` to `_end - 1` can be sampled."""
        return int(self._num_steps) - self._n_step + 1

    @property
    def _rings(self) -> dict[str, NDArray]:
        return {
            "frames": self._frames,
            "newest": self._newest,
            "action": self._action,
            "reward": self._reward,
            "terminated": self._terminated,
            "truncated": self._truncated,
        }

    @property
    def _arrays(self) -> dict[str, NDArray]:
        """All arrays, in full size, by their names in checkpoints."""
        tree = {} if self._priorities is None else {"priorities": self._priorities.nodes}
        counts = {"num_frames": self._num_frames, "oldest": self._oldest, "num_steps": self._num_steps}
        return self._rings | counts | {"highest_priority": self._highest_priority} | tree

    def _used(self, num_frames: int, num_steps: int) -> dict[str, NDArray]:
        """`_arrays`, but of each ring only the slots that are in use after so many frames and steps."""
        slots = {name: min(num_steps, self._max_steps) for name in self._rings}
        slots["frames"] = min(num_frames, self._max_frames)
        return {name: array[:, : slots[name]] if name in slots else array for name, array in self._arrays.items()}

    def _split(self, obs: NDArray) -> NDArray:
        """Observation [..., K * C] -> frames [K, ..., C], oldest first; with K = 1: [...] -> [1, ...]."""
        k = self._frames_per_obs
        return obs[np.newaxis] if k == 1 else np.moveaxis(obs.reshape(*obs.shape[:-1], k, -1), -2, 0)

    def _add_frames(self, n: int, frames: NDArray) -> None:
        for frame in frames:
            self._frames[n, self._num_frames[n] % self._max_frames] = frame
            self._num_frames[n] += 1

    def _drop_overwritten(self) -> None:
        """Advance `_oldest` beyond the steps that are overwritten, and those with an overwritten frame."""
        np.maximum(self._oldest, int(self._num_steps) - self._max_steps, out=self._oldest)
        oldest_frame = self._num_frames - self._max_frames  # frames with lower numbers are overwritten
        envs = np.arange(len(self._oldest))
        while True:
            first_needed = self._newest[envs, self._oldest % self._max_steps] - (self._frames_per_obs - 1)
            is_overwritten = (first_needed < oldest_frame) & (self._oldest < self._num_steps)
            if not is_overwritten.any():
                return
            self._oldest += is_overwritten

    def _update_priorities(self, oldest_before: NDArray) -> None:
        """Set priority 0 for transitions that were just dropped, the highest for those that can now be sampled.

        oldest_before: [N], `_oldest` before the latest step.
        """
        assert self._priorities is not None
        dropped = [
            n * self._max_steps + np.arange(oldest_before[n], self._oldest[n]) % self._max_steps
            for n in np.flatnonzero(self._oldest > oldest_before)
        ]
        if dropped:
            indices = np.concatenate(dropped)
            self._priorities.set(indices, np.zeros(len(indices)))
        if self._end > 0:
            envs = np.flatnonzero(self._oldest < self._end)
            new = envs * self._max_steps + (self._end - 1) % self._max_steps
            self._priorities.set(new, np.full(len(new), float(self._highest_priority) ** self._alpha))

    def _positions(self, indices: NDArray) -> tuple[NDArray, NDArray]:
        """The environments and the numbers of the first steps of the transitions with these `indices`, each [B]."""
        n, slot = np.divmod(indices, self._max_steps)
        return n, self._end - 1 - (self._end - 1 - slot) % self._max_steps

    def _transitions(self, n: NDArray, t: NDArray, weight: NDArray) -> ReplayBatch:
        """The transitions that begin with steps `t` [B] of environments `n` [B]."""
        steps = t[:, np.newaxis] + np.arange(self._n_step)
        slots, rows = steps % self._max_steps, n[:, np.newaxis]
        ended = self._terminated[rows, slots] | self._truncated[rows, slots]
        is_same_episode = np.cumsum(ended, axis=1) - ended == 0  # no step before this one ended the episode
        powers = self._gamma ** np.arange(self._n_step + 1)
        reward = (self._reward[rows, slots] * is_same_episode * powers[:-1]).sum(axis=1)
        length = is_same_episode.sum(axis=1)
        last = slots[np.arange(len(t)), length - 1]
        discount = powers[length] * ~self._terminated[n, last]
        return ReplayBatch(
            frames=self._stack(n, self._newest[n, t % self._max_steps]),
            action=self._action[n, t % self._max_steps],
            reward=reward.astype(np.float32),
            discount=discount.astype(np.float32),
            # After a termination these frames are partly of the next episode; the discount of 0 excludes their value.
            next_frames=self._stack(n, self._newest[n, last] + 1),
            indices=n * self._max_steps + t % self._max_steps,
            weight=weight,
        )

    def _stack(self, n: NDArray, newest: NDArray) -> NDArray:
        """The observations [B, K, ...] of environments `n` [B] whose newest frames have the numbers `newest` [B]."""
        k = self._frames_per_obs
        numbers = newest[:, np.newaxis] + np.arange(1 - k, 1)
        return self._frames[n[:, np.newaxis], numbers % self._max_frames]
