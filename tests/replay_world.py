"""Random experience of `N` environments: added to a replay buffer, and kept in lists to check the buffer's samples."""

import numpy as np

from paac_cli.algorithms.replay import ReplayBuffer
from paac_cli.spec import EnvSpec, discrete_action
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep

DRAWS = 400
ROLLOUT = Rollout(*(np.empty(0),) * 4)
EPISODES = np.empty(0, EPISODE_DTYPE)
GAMMA = 0.5  # its powers, and their products with whole numbers, are exact


def numbers_drawn(buffer, draws=DRAWS, seed=0):
    """The numbers of the steps in a sample."""
    return set(buffer.sample(np.random.default_rng(seed), draws).action.tolist())


class World:
    """Makes random experience, adds it to a replay buffer, and keeps all of it in lists.

    The action of a step is its number, which identifies a sampled transition. An observation is a stack of `stack`
    random frames. An episode starts with `stack` different frames, or with the same frame `stack` times.
    """

    def __init__(self, *, num_envs=2, stack=1, n_step=1, ends=0.2, capacity=40, alpha=0.0, colours=0, seed=0):
        """ends: probability that a step ends an episode; half of the ends are truncations."""
        self.num_envs, self.stack, self.n_step, self.capacity = num_envs, stack, n_step, capacity
        self._ends, self._colours, self._alpha = ends, colours, alpha
        self._rng = np.random.default_rng(seed)
        self.steps = [[] for _ in range(num_envs)]  # (obs, reward, terminated, truncated, next or final obs)
        self._frames = [self._first_frames() for _ in range(num_envs)]
        self.buffer = self.empty_buffer()
        self.buffer.begin(np.array([self._obs(n) for n in range(num_envs)]))

    def empty_buffer(self, capacity=None):
        shape = (2, 3, self.stack * (self._colours or 1)) if self.stack > 1 or self._colours else (2, 3)
        spec = EnvSpec(shape, np.dtype(np.uint8), discrete_action(("",) * 10_000), 30.0, self.stack)
        return ReplayBuffer(
            spec,
            self.num_envs,
            capacity=capacity or self.capacity,
            n_step=self.n_step,
            gamma=GAMMA,
            alpha=self._alpha,
        )

    def play(self, num_steps, *others):
        """Step all environments, and add the steps to the world's own buffer and to `others`."""
        for _ in range(num_steps):
            actions, step = self._step()
            for buffer in (self.buffer, *others):
                buffer.add(actions, step)

    def transition(self, number):
        """The expected observation, reward, discount and next observation of a step; None: any next observation."""
        time, n = divmod(int(number), self.num_envs)
        total, (obs, *_) = 0.0, self.steps[n][time]
        for count in range(self.n_step):
            _, reward, terminated, truncated, next_obs = self.steps[n][time + count]
            total += GAMMA**count * reward
            if terminated:
                return obs, total, 0.0, None
            if truncated:
                break
        return obs, total, GAMMA ** (count + 1), next_obs

    def complete(self, n):
        """Numbers of the steps of environment `n` whose n steps have been played and fit into the capacity."""
        played, stored = len(self.steps[n]), max(-(-self.capacity // self.num_envs), self.n_step + 1)
        return [time * self.num_envs + n for time in range(max(played - stored, 0), played - self.n_step + 1)]

    def assert_matches(self, batch):
        """Assert that everything in `batch` is what happened, bit for bit."""
        for row, number in enumerate(batch.action):
            obs, reward, discount, next_obs = self.transition(number)
            assert batch.frames[row].tolist() == obs, f"step {number}"
            assert (batch.reward[row], batch.discount[row]) == (reward, discount), f"step {number}"
            if next_obs is not None:
                assert batch.next_frames[row].tolist() == next_obs, f"after step {number}"
        assert batch.frames.dtype == batch.next_frames.dtype == np.uint8
        assert batch.reward.dtype == batch.discount.dtype == batch.weight.dtype == np.float32

    def _step(self):
        time = len(self.steps[0])
        actions = np.array([time * self.num_envs + n for n in range(self.num_envs)], np.int32)
        reward = self._rng.integers(-9, 10, self.num_envs).astype(np.float32)
        terminated = self._rng.random(self.num_envs) < self._ends / 2
        truncated = (self._rng.random(self.num_envs) < self._ends / 2) & ~terminated
        obs, final_obs = [], []
        for n in range(self.num_envs):
            before = self._frames_as_lists(n)
            self._frames[n] = [*self._frames[n][1:], self._frame()]
            # Rows without a truncation hold old data, as in shared memory.
            final_obs.append(self._obs(n) if truncated[n] else np.full_like(self._obs(n), 77))
            after = self._frames_as_lists(n)
            self.steps[n].append((before, float(reward[n]), terminated[n], truncated[n], after))
            if terminated[n] or truncated[n]:
                self._frames[n] = self._first_frames()
            obs.append(self._obs(n))
        step = TimeStep(np.array(obs), reward, terminated, truncated, np.array(final_obs), EPISODES, 1, ROLLOUT)
        return actions, step

    def _frame(self):
        return self._rng.integers(256, size=(2, 3, self._colours) if self._colours else (2, 3), dtype=np.uint8)

    def _first_frames(self):
        if self._rng.random() < 0.5:
            return [self._frame()] * self.stack
        return [self._frame() for _ in range(self.stack)]

    def _frames_as_lists(self, n):
        """The frames of environment `n` as the buffer returns them: stacked frames have a last axis of colours."""
        has_colours = self._colours or self.stack == 1
        return [(frame if has_colours else frame[..., np.newaxis]).tolist() for frame in self._frames[n]]

    def _obs(self, n):
        frames = self._frames[n]
        if self.stack == 1:
            return frames[0]
        return np.concatenate(frames, axis=2) if self._colours else np.stack(frames, axis=2)
