"""The replay buffer against lists of everything that happened: its transitions, its arrays and its memory."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paac_cli.algorithms.replay import ReplayBuffer
from paac_cli.errors import CheckpointError, ConfigError
from paac_cli.memory import AvailableMemory
from paac_cli.spec import EnvSpec, discrete_action
from paac_cli.timestep import TimeStep
from replay_world import EPISODES, ROLLOUT, World, numbers_drawn


def set_priorities(buffer, indices, error):
    """If it has priorities."""
    if buffer._priorities is not None:
        buffer.set_priorities(indices, error)


# --- Samples are what happened.


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
def test_every_drawn_transition_is_what_happened(world, lengths):
    for seed, steps in enumerate(lengths):
        world.play(steps)
        if len(world.buffer):
            batch = world.buffer.sample(np.random.default_rng(seed), 100)
            world.assert_matches(batch)
            set_priorities(world.buffer, batch.indices, np.random.default_rng(seed).normal(size=100))


@pytest.mark.parametrize("alpha", [0.0, 0.6])
@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("stack", [1, 4])
def test_every_stored_transition_can_be_drawn_and_no_other(stack, n_step, alpha):
    world = World(stack=stack, n_step=n_step, ends=0.0, capacity=40, alpha=alpha)
    for _ in range(13):  # 91 steps: four times around the ring, in strides that do not divide it
        world.play(7)
        expected = world.complete(0) + world.complete(1)
        assert len(world.buffer) == len(expected)
        assert numbers_drawn(world.buffer) == set(expected)
    assert len(world.buffer) == 40 - 2 * (n_step - 1)


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_if_short_episodes_need_more_frames_than_fit_the_oldest_transitions_go_first(alpha):
    """Each episode adds a whole stack of frames, more than the buffer has spare."""
    world = World(stack=4, n_step=3, ends=0.8, capacity=80, alpha=alpha)
    for _ in range(30):
        world.play(7)
        drawn = numbers_drawn(world.buffer)
        assert len(drawn) == len(world.buffer)
        for n in range(2):
            expected = world.complete(n)
            stored = [number for number in expected if number in drawn]
            assert stored == expected[len(expected) - len(stored) :]
            assert len(stored) >= 5
            drawn -= set(stored)
        assert not drawn
        world.assert_matches(world.buffer.sample(np.random.default_rng(0), 100))


def test_a_transition_can_be_drawn_only_after_its_n_steps():
    world = World(n_step=3)
    assert world.buffer.has_begun
    assert not world.empty_buffer().has_begun
    for expected in (0, 0, 2, 4):
        world.play(1)
        assert len(world.buffer) == expected


def add_steps(buffer, rewards, *, terminated=(), truncated=(), final_obs=0):
    """Add steps of one environment, whose observations are 0, 1, 2, ..."""
    buffer.begin(np.array([[0.0]]))
    for time, reward in enumerate(rewards):
        step = TimeStep(
            obs=np.array([[time + 1.0]]),
            reward=np.array([reward], np.float32),
            terminated=np.array([time in terminated]),
            truncated=np.array([time in truncated]),
            final_obs=np.array([[final_obs]]),
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
def test_three_step_returns_by_hand(ends, expected):
    spec = EnvSpec((1,), np.dtype(np.float64), discrete_action(("",) * 9), 30.0)
    buffer = ReplayBuffer(spec, 1, capacity=9, n_step=3, gamma=0.5)
    add_steps(buffer, [1, 2, 4, 8], **ends, final_obs=9)
    batch = buffer.sample(np.random.default_rng(0), 50)
    for number, (reward, discount, next_obs) in enumerate(expected):
        rows = batch.action == number
        assert rows.any()
        assert (batch.frames[rows] == number).all()
        assert (batch.reward[rows] == reward).all()
        assert (batch.discount[rows] == discount).all()
        assert next_obs is None or (batch.next_frames[rows] == next_obs).all()


def test_batches_are_drawn_although_short_episodes_of_stacked_frames_fill_the_buffer():
    """With episodes of one step and four frames each, the buffer never holds a batch of 64 transitions."""
    world = World(capacity=66, num_envs=1, stack=4, ends=1.0)
    world.play(200)
    assert 0 < len(world.buffer) < 64
    assert world.buffer.can_sample(64)
    assert len(world.buffer.sample(np.random.default_rng(0), 64).action) == 64


def test_batches_are_drawn_as_soon_as_the_buffer_holds_one():
    world = World(capacity=100, num_envs=2, stack=1, n_step=3, ends=0.0)
    for _ in range(5):
        world.play(1)
        assert not world.buffer.can_sample(8)
    world.play(1)  # now 2 environments have 4 complete transitions each
    assert world.buffer.can_sample(8)


# --- Memory.


def test_a_buffer_that_does_not_fit_into_memory_is_refused_unless_the_run_is_short(monkeypatch):
    spec = EnvSpec((10,), np.dtype(np.uint8), discrete_action(("",) * 2), 30.0)

    def begin(total_steps):
        buffer = ReplayBuffer(spec, 2, capacity=100_000, n_step=1, gamma=1.0, total_steps=total_steps)
        buffer.begin(np.zeros((2, 10), np.uint8))

    small = AvailableMemory(500_000, "this container", ", or x")
    monkeypatch.setattr("paac_cli.memory.available_memory", lambda: small)
    size = 2 * 10 * (50_000 + 50_000 // 32 + 2)
    with pytest.raises(ConfigError, match=rf"need {size:,} bytes of memory, but this container has 500,000 .*, or x"):
        begin(None)
    with pytest.raises(ConfigError, match=r"lower algorithm\.buffer_size"):
        begin(100_000)
    begin(40_000)


# --- Arrays in checkpoints.


@pytest.mark.parametrize("alpha", [0.0, 0.6])
@pytest.mark.parametrize("steps", [0, 5, 75], ids=["empty", "partly filled", "wrapped around"])
@pytest.mark.parametrize("is_used", [False, True])
def test_a_buffer_restored_from_its_arrays_continues_identically(steps, alpha, is_used):
    world = World(stack=4, n_step=3, alpha=alpha, ends=0.3)
    world.play(steps)
    if steps:
        batch = world.buffer.sample(np.random.default_rng(0), 8)
        set_priorities(world.buffer, batch.indices, np.full(8, 3.0))
    arrays = copy.deepcopy(world.buffer.to_arrays())
    restored = world.empty_buffer()
    if is_used:
        other = World(stack=4, n_step=3, alpha=alpha, ends=0.3, seed=9)
        other.play(33)
        restored = other.buffer
        set_priorities(restored, restored.sample(np.random.default_rng(0), 8).indices, np.full(8, 100.0))
    restored.assign(arrays)
    for seed in range(20):
        if len(world.buffer):
            expected, found = (
                buffer.sample(np.random.default_rng(seed), 50, beta=0.4) for buffer in (world.buffer, restored)
            )
            for expected_array, found_array in zip(expected, found, strict=True):
                np.testing.assert_array_equal(found_array, expected_array)
            world.assert_matches(found)
            for buffer in (world.buffer, restored):
                set_priorities(buffer, expected.indices, np.random.default_rng(seed).normal(size=50))
        world.play(3, restored)


def test_arrays_are_views_of_the_used_part_of_the_buffer():
    world = World(capacity=10_000, alpha=0.6)
    world.play(5)
    arrays = world.buffer.to_arrays()
    assert arrays["frames"].shape[1] < 20
    assert arrays["action"].shape == (2, 5)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    assert np.shares_memory(arrays["frames"], world.buffer.to_arrays()["frames"])


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("frames"),
        lambda arrays: arrays.pop("num_steps"),
        lambda arrays: arrays.update(strange=np.zeros(3)),
        lambda arrays: arrays.update(frames=arrays["frames"][:, :-1]),
        lambda arrays: arrays.update(reward=arrays["reward"].astype(np.float64)),
        lambda arrays: arrays.update(num_frames=arrays["num_frames"][:1]),
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


# --- Memory.


def test_a_million_transitions_of_atari_take_less_than_eight_gigabytes():
    """Measured by the sizes of the arrays; none of their pages is written here."""
    spec = EnvSpec((84, 84, 4), np.dtype(np.uint8), discrete_action(("",) * 18), 60.0, 4)
    buffer = ReplayBuffer(spec, 16, capacity=1_000_000, n_step=1, gamma=0.99, alpha=0.6)
    memory = [array if array.base is None else array.base for array in buffer.to_arrays().values()]
    assert 1_000_000 * 84 * 84 < sum(array.nbytes for array in memory) < 8e9
