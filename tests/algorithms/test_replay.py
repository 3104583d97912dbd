"""Replayed experience against a list of everything that ever happened."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paac_cli.algorithms.replay import ReplayBuffer, SumTree
from paac_cli.errors import CheckpointError
from paac_cli.spec import EnvSpec, discrete_action
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep

ROLLOUT = Rollout(*(np.empty(0),) * 4)
EPISODES = np.empty(0, EPISODE_DTYPE)
GAMMA = 0.5  # its powers and their products with whole numbers are exact
DRAWS = 400


class World:
    """Makes up what `N` environments do, plays it to a buffer, and remembers all of it in lists.

    A step's action is its number, by which a transition that is drawn is known again. Every observation
    is a stack of `K` screens of random numbers, and every episode begins with `K` new ones, or with the
    same one `K` times.
    """

    def __init__(self, *, num_envs=2, stack=1, n_step=1, ends=0.2, capacity=40, alpha=0.0, colours=0, seed=0):
        self.num_envs, self.stack, self.n_step, self.capacity = num_envs, stack, n_step, capacity
        self._ends, self._colours, self._alpha = ends, colours, alpha
        self._rng = np.random.default_rng(seed)
        self.steps = [[] for _ in range(num_envs)]
        self._screens = [self._first_screens() for _ in range(num_envs)]
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
        """Let all environments make steps, for the world's own buffer and for `others`."""
        for _ in range(num_steps):
            actions, step = self._step()
            for buffer in (self.buffer, *others):
                buffer.add(actions, step)

    def transition(self, number):
        """What must come back for the step of this number, and the next observation if it counts."""
        time, n = divmod(int(number), self.num_envs)
        reward, first = 0.0, self.steps[n][time]
        for count in range(self.n_step):
            _, earned, terminated, truncated, after = self.steps[n][time + count]
            reward += GAMMA**count * earned
            if terminated:
                return first[0], reward, 0.0, None
            if truncated:
                break
        return first[0], reward, GAMMA ** (count + 1), after

    def complete(self, n):
        """Numbers of the steps of environment `n` whose n steps have been played and fit the capacity."""
        played, kept = len(self.steps[n]), max(-(-self.capacity // self.num_envs), self.n_step + 1)
        return [time * self.num_envs + n for time in range(max(played - kept, 0), played - self.n_step + 1)]

    def assert_right(self, batch):
        """Everything that was drawn is as it happened, bit by bit."""
        for row, number in enumerate(batch.action):
            obs, reward, discount, after = self.transition(number)
            assert batch.screens[row].tolist() == obs, f"step {number}"
            assert (batch.reward[row], batch.discount[row]) == (reward, discount), f"step {number}"
            if after is not None:
                assert batch.next_screens[row].tolist() == after, f"after step {number}"
        assert batch.screens.dtype == batch.next_screens.dtype == np.uint8
        assert batch.reward.dtype == batch.discount.dtype == batch.weight.dtype == np.float32

    def _step(self):
        time = len(self.steps[0])
        actions = np.array([time * self.num_envs + n for n in range(self.num_envs)], np.int32)
        reward = self._rng.integers(-9, 10, self.num_envs).astype(np.float32)
        terminated = self._rng.random(self.num_envs) < self._ends / 2
        truncated = (self._rng.random(self.num_envs) < self._ends / 2) & ~terminated
        obs, final_obs = [], []
        for n in range(self.num_envs):
            before = self._in_lists(n)
            self._screens[n] = [*self._screens[n][1:], self._screen()]
            # Where nothing was cut off, there is what was left there, as in shared memory.
            final_obs.append(self._obs(n) if truncated[n] else np.full_like(self._obs(n), 77))
            after = self._in_lists(n)
            self.steps[n].append((before, float(reward[n]), terminated[n], truncated[n], after))
            if terminated[n] or truncated[n]:
                self._screens[n] = self._first_screens()
            obs.append(self._obs(n))
        step = TimeStep(np.array(obs), reward, terminated, truncated, np.array(final_obs), EPISODES, 1, ROLLOUT)
        return actions, step

    def _screen(self):
        return self._rng.integers(256, size=(2, 3, self._colours) if self._colours else (2, 3), dtype=np.uint8)

    def _first_screens(self):
        if self._rng.random() < 0.5:
            return [self._screen()] * self.stack
        return [self._screen() for _ in range(self.stack)]

    def _in_lists(self, n):
        """The screens of environment `n` as they must come back: with a last axis of colours if they are stacked."""
        has_colours = self._colours or self.stack == 1
        return [(screen if has_colours else screen[..., np.newaxis]).tolist() for screen in self._screens[n]]

    def _obs(self, n):
        screens = self._screens[n]
        if self.stack == 1:
            return screens[0]
        return np.concatenate(screens, axis=2) if self._colours else np.stack(screens, axis=2)


def numbers_drawn(buffer, draws=DRAWS, seed=0):
    return set(buffer.sample(np.random.default_rng(seed), draws).action.tolist())


# What is drawn is what happened


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        World,
        num_envs=st.integers(1, 3),
        stack=st.sampled_from([1, 4]),
        n_step=st.sampled_from([1, 3]),
        ends=st.sampled_from([0.0, 0.1, 0.4, 0.9, 2.0]),  # 2: every step ends an episode
        capacity=st.integers(1, 60),
        alpha=st.sampled_from([0.0, 0.6]),
        colours=st.sampled_from([0, 3]),
        seed=st.integers(0, 2**32),
    ),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
)
def test_every_transition_comes_back_as_it_happened(world, sittings):
    for sitting, steps in enumerate(sittings):
        world.play(steps)
        if len(world.buffer):
            batch = world.buffer.sample(np.random.default_rng(sitting), 100)
            world.assert_right(batch)
            world.buffer.set_priorities(batch.place, np.random.default_rng(sitting).normal(size=100))


@pytest.mark.parametrize("alpha", [0.0, 0.6])
@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("stack", [1, 4])
def test_all_that_fits_can_be_drawn_and_nothing_else(stack, n_step, alpha):
    world = World(stack=stack, n_step=n_step, ends=0.0, capacity=40, alpha=alpha)
    for _ in range(13):  # 91 steps: four times around the ring, in strides that are no part of it
        world.play(7)
        expected = world.complete(0) + world.complete(1)
        assert len(world.buffer) == len(expected)
        assert numbers_drawn(world.buffer) == set(expected)
    assert len(world.buffer) == 40 - 2 * (n_step - 1)


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_short_episodes_push_out_the_oldest_first(alpha):
    """Each brings a stack of screens of its own, for which memory was not laid out."""
    world = World(stack=4, n_step=3, ends=0.8, capacity=80, alpha=alpha)
    for _ in range(30):
        world.play(7)
        drawn = numbers_drawn(world.buffer)
        assert len(drawn) == len(world.buffer)
        for n in range(2):
            expected = world.complete(n)
            kept = [number for number in expected if number in drawn]
            assert kept == expected[len(expected) - len(kept) :]
            assert len(kept) >= 5
            drawn -= set(kept)
        assert not drawn
        world.assert_right(world.buffer.sample(np.random.default_rng(0), 100))


def test_nothing_can_be_drawn_before_n_steps_are_known():
    world = World(n_step=3)
    assert world.buffer.has_begun
    assert not world.empty_buffer().has_begun
    for expected in (0, 0, 2, 4):
        world.play(1)
        assert len(world.buffer) == expected


def add_by_hand(buffer, rewards, *, terminated=(), truncated=(), final=0):
    """Steps of one environment, whose observations are 0, 1, 2, ..."""
    buffer.begin(np.array([[0.0]]))
    for time, reward in enumerate(rewards):
        step = TimeStep(
            obs=np.array([[time + 1.0]]),
            reward=np.array([reward], np.float32),
            terminated=np.array([time in terminated]),
            truncated=np.array([time in truncated]),
            final_obs=np.array([[final]]),
            episodes=EPISODES,
            slot=1,
            rollout=ROLLOUT,
        )
        buffer.add(np.array([time], np.int32), step)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({}, [(1 + 0.5 * 2 + 0.25 * 4, 0.125, 3), (2 + 0.5 * 4 + 0.25 * 8, 0.125, 4)]),
        ({"terminated": [1]}, [(1 + 0.5 * 2, 0, None), (2, 0, None)]),
        ({"truncated": [1]}, [(1 + 0.5 * 2, 0.25, 9), (2, 0.5, 9)]),
        ({"truncated": [0], "terminated": [1]}, [(1, 0.5, 9), (2, 0, None)]),
        ({"truncated": [3]}, [(1 + 0.5 * 2 + 0.25 * 4, 0.125, 3), (2 + 0.5 * 4 + 0.25 * 8, 0.125, 9)]),
    ],
)
def test_returns_of_three_steps_by_hand(ends, expected):
    spec = EnvSpec((1,), np.dtype(np.float64), discrete_action(("",) * 9), 30.0)
    buffer = ReplayBuffer(spec, 1, capacity=9, n_step=3, gamma=0.5)
    add_by_hand(buffer, [1, 2, 4, 8], **ends, final=9)
    batch = buffer.sample(np.random.default_rng(0), 50)
    for number, (reward, discount, after) in enumerate(expected):
        rows = batch.action == number
        assert rows.any()
        assert (batch.screens[rows] == number).all()
        assert (batch.reward[rows] == reward).all()
        assert (batch.discount[rows] == discount).all()
        assert after is None or (batch.next_screens[rows] == after).all()


# How often


def chi_square(counts, expected):
    return ((counts - expected) ** 2 / expected).sum()


def test_every_transition_is_drawn_equally_often():
    """Also where one environment has more of them than another."""
    world = World(num_envs=3, stack=4, n_step=3, ends=0.4, capacity=90)
    world.play(100)
    numbers, counts = np.unique(world.buffer.sample(np.random.default_rng(1), 20_000).action, return_counts=True)
    assert len(set(np.bincount(numbers % 3))) > 1
    assert len(numbers) == len(world.buffer) == 30
    assert chi_square(counts, 20_000 / 30) < 58.3  # 29 degrees of freedom, p = 0.001


def prioritized(capacity=20, steps=10):
    """A world of two environments in which every step has another priority, and those priorities by its number."""
    world = World(capacity=capacity, alpha=0.5)
    world.play(steps)
    batch = world.buffer.sample(np.random.default_rng(0), DRAWS)
    numbers, rows = np.unique(batch.action, return_index=True)
    assert len(numbers) == len(world.buffer)
    error = np.where(numbers % 2, -1.0, 1.0) * (numbers - numbers[0])  # the first is no error at all
    world.buffer.set_priorities(batch.place[rows], error.astype(np.float32))
    return world, dict(zip(numbers.tolist(), np.sqrt(np.abs(error) + 1e-6), strict=True))


def test_transitions_are_drawn_as_often_as_their_priorities_say():
    world, priorities = prioritized()
    expected = np.array(list(priorities.values())) / sum(priorities.values())
    counts, rng = np.zeros(20), np.random.default_rng(1)
    for _ in range(1000):
        counts += np.bincount(world.buffer.sample(rng, 32).action, minlength=20)
    assert chi_square(counts[1:], 32_000 * expected[1:]) < 43.8  # 19 degrees of freedom, p = 0.001
    assert counts[0] < 20  # 5 are expected of it
    # In equal parts of the sum, so that a batch never lacks what has a large share of it.
    assert all(19 in world.buffer.sample(rng, 32).action for _ in range(100))


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_weights_make_good_for_the_bias_of_drawing(beta):
    world, priorities = prioritized()
    batch = world.buffer.sample(np.random.default_rng(2), 16, beta)
    share = np.array([priorities[number] for number in batch.action.tolist()]) / sum(priorities.values())
    expected = (20 * share) ** -beta
    np.testing.assert_allclose(batch.weight, expected / expected.max(), rtol=1e-5)
    assert batch.weight.max() == 1.0


def test_without_priorities_all_weights_are_one():
    world = World()
    world.play(10)
    batch = world.buffer.sample(np.random.default_rng(0), 16, beta=1.0)
    assert batch.weight.tolist() == [1.0] * 16
    world.buffer.set_priorities(batch.place, np.full(16, 1e6))
    assert (world.buffer.sample(np.random.default_rng(0), 16).action == batch.action).all()


def shares(world):
    """The share of every step in drawing, by its number; found from the weights that make good for it."""
    batch = world.buffer.sample(np.random.default_rng(0), 50 * DRAWS, beta=1.0)
    numbers, rows = np.unique(batch.action, return_index=True)
    return dict(zip(numbers.tolist(), (1.0 / batch.weight[rows]).tolist(), strict=True))


def test_a_new_transition_has_the_highest_priority_that_there_ever_was():
    world, _ = prioritized(capacity=40)
    batch = world.buffer.sample(np.random.default_rng(0), DRAWS)
    world.buffer.set_priorities(batch.place, np.full(DRAWS, 0.01))  # the 19 of before is the highest all the same
    world.play(1)
    found = shares(world)
    assert found.keys() == set(range(22))
    for number in (20, 21):
        assert found[number] / found[1] == pytest.approx(np.sqrt((19 + 1e-6) / (0.01 + 1e-6)), rel=1e-3)


def test_a_forgotten_transition_is_never_drawn_however_high_its_priority_was():
    world, _ = prioritized(capacity=20)
    batch = world.buffer.sample(np.random.default_rng(0), DRAWS)
    world.buffer.set_priorities(batch.place, np.where(batch.action < 6, 1e9, 1e-3))
    for steps in range(1, 11):
        world.play(1)
        drawn = numbers_drawn(world.buffer)
        assert drawn <= set(world.complete(0) + world.complete(1))
        assert 2 * steps in drawn or steps > 2


# There and back


@pytest.mark.parametrize("alpha", [0.0, 0.6])
@pytest.mark.parametrize("steps", [0, 5, 75], ids=["empty", "partly filled", "wrapped around"])
@pytest.mark.parametrize("is_used", [False, True])
def test_a_buffer_comes_back_from_its_arrays_and_goes_on_alike(steps, alpha, is_used):
    world = World(stack=4, n_step=3, alpha=alpha, ends=0.3)
    world.play(steps)
    if steps:
        batch = world.buffer.sample(np.random.default_rng(0), 8)
        world.buffer.set_priorities(batch.place, np.full(8, 3.0))
    arrays = copy.deepcopy(world.buffer.to_arrays())
    again = world.empty_buffer()
    if is_used:
        other = World(stack=4, n_step=3, alpha=alpha, ends=0.3, seed=9)
        other.play(33)
        again = other.buffer
        again.set_priorities(again.sample(np.random.default_rng(0), 8).place, np.full(8, 100.0))
    again.assign(arrays)
    for further in range(20):
        if len(world.buffer):
            ours, theirs = (
                buffer.sample(np.random.default_rng(further), 50, beta=0.4) for buffer in (world.buffer, again)
            )
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
            world.assert_right(theirs)
            for buffer in (world.buffer, again):
                buffer.set_priorities(ours.place, np.random.default_rng(further).normal(size=50))
        world.play(3, again)


def test_arrays_are_views_of_what_has_been_written_and_no_more():
    world = World(capacity=10_000, alpha=0.6)
    world.play(5)
    arrays = world.buffer.to_arrays()
    assert arrays["screens"].shape[1] < 20
    assert arrays["action"].shape == (2, 5)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    assert np.shares_memory(arrays["screens"], world.buffer.to_arrays()["screens"])


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("screens"),
        lambda arrays: arrays.pop("num_steps"),
        lambda arrays: arrays.update(strange=np.zeros(3)),
        lambda arrays: arrays.update(screens=arrays["screens"][:, :-1]),
        lambda arrays: arrays.update(reward=arrays["reward"].astype(np.float64)),
        lambda arrays: arrays.update(num_screens=arrays["num_screens"][:1]),
        lambda arrays: arrays.update(num_steps=np.array(-5)),
        lambda arrays: arrays.update(num_steps=np.array(3)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change):
    world = World()
    world.play(10)
    arrays = copy.deepcopy(world.buffer.to_arrays())
    change(arrays)
    with pytest.raises(CheckpointError):
        world.empty_buffer().assign(arrays)


def test_arrays_of_a_buffer_of_another_size_are_refused():
    world = World(capacity=40)
    world.play(50)
    with pytest.raises(CheckpointError, match="does not fit its config"):
        world.empty_buffer(capacity=30).assign(world.buffer.to_arrays())


# What it costs


def test_a_million_transitions_of_atari_take_less_than_eight_gigabytes():
    """By what is laid out; no page of it is written here."""
    spec = EnvSpec((84, 84, 4), np.dtype(np.uint8), discrete_action(("",) * 18), 60.0, 4)
    buffer = ReplayBuffer(spec, 16, capacity=1_000_000, n_step=1, gamma=0.99, alpha=0.6)
    memory = [array if array.base is None else array.base for array in buffer.to_arrays().values()]
    assert 1_000_000 * 84 * 84 < sum(array.nbytes for array in memory) < 8e9


# The tree of sums


def filled(*numbers):
    tree = SumTree(len(numbers))
    tree.set(np.arange(len(numbers)), np.array(numbers, np.float64))
    return tree


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9])
def test_a_tree_has_room_for_its_numbers(size):
    tree = filled(*range(1, size + 1))
    assert tree.total == size * (size + 1) / 2
    assert tree.leaves(np.arange(size)).tolist() == list(range(1, size + 1))
    index, value = tree.find(np.cumsum(np.arange(size)) + 0.5)
    assert index.tolist() == list(range(size))
    assert value.tolist() == list(range(1, size + 1))


def test_a_number_is_found_by_its_share_of_the_sum():
    tree = filled(1, 2, 0, 4)
    index, value = tree.find(np.array([0, 0.99, 1, 2.99, 3, 6.99]))
    assert index.tolist() == [0, 0, 1, 1, 3, 3]
    assert value.tolist() == [1, 1, 2, 2, 4, 4]


def test_what_rounding_puts_beyond_the_sum_finds_the_last_number_and_no_zero():
    tree = filled(1, 2, 0, 0, 0)
    index, value = tree.find(np.array([3.0, 3.5]))
    assert (index.tolist(), value.tolist()) == ([1, 1], [2, 2])
    assert filled(0.0, 0.0, 5.0).find(np.array([0.0, 5.0]))[0].tolist() == [2, 2]


def test_of_equal_places_the_last_counts():
    tree = filled(1, 2, 3, 4)
    tree.set(np.array([2, 0, 2]), np.array([7.0, 5.0, 0.5]))
    assert tree.leaves(np.arange(4)).tolist() == [5, 2, 0.5, 4]
    assert tree.total == 11.5
    tree.set(np.array([], int), np.array([]))
    assert tree.total == 11.5


def test_the_sum_does_not_drift():
    rng, tree = np.random.default_rng(0), SumTree(37)
    for _ in range(2000):
        tree.set(rng.integers(37, size=5), rng.random(5) * 10.0 ** rng.integers(-6, 6, 5))
    tree.set(np.arange(37), np.ones(37))
    assert tree.total == 37
