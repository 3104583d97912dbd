"""How often the replay buffer draws each transition, with and without priorities."""

import numpy as np
import pytest

from replay_world import DRAWS, World, numbers_drawn


def chi_square(counts, expected):
    return ((counts - expected) ** 2 / expected).sum()


def test_without_priorities_every_transition_is_equally_likely():
    """Also if one environment has more transitions than another."""
    world = World(num_envs=3, stack=4, n_step=3, ends=0.4, capacity=90)
    world.play(100)
    numbers, counts = np.unique(world.buffer.sample(np.random.default_rng(1), 20_000).action, return_counts=True)
    assert len(set(np.bincount(numbers % 3))) > 1
    assert len(numbers) == len(world.buffer) == 30
    assert chi_square(counts, 20_000 / 30) < 58.3  # 29 degrees of freedom, p = 0.001


def prioritized(capacity=20, steps=10):
    """A world of two environments in which every step has another priority, and those priorities by step number."""
    world = World(capacity=capacity, alpha=0.5)
    world.play(steps)
    batch = world.buffer.sample(np.random.default_rng(0), DRAWS)
    numbers, rows = np.unique(batch.action, return_index=True)
    assert len(numbers) == len(world.buffer)
    error = np.where(numbers % 2, -1.0, 1.0) * (numbers - numbers[0])  # the first error is 0
    world.buffer.set_priorities(batch.indices[rows], error.astype(np.float32))
    return world, dict(zip(numbers.tolist(), np.sqrt(np.abs(error) + 1e-6), strict=True))


def test_with_priorities_a_transition_is_drawn_in_proportion_to_its_priority():
    world, priorities = prioritized()
    expected = np.array(list(priorities.values())) / sum(priorities.values())
    counts, rng = np.zeros(20), np.random.default_rng(1)
    for _ in range(1000):
        counts += np.bincount(world.buffer.sample(rng, 32).action, minlength=20)
    assert chi_square(counts[1:], 32_000 * expected[1:]) < 43.8  # 19 degrees of freedom, p = 0.001
    assert counts[0] < 20  # 5 are expected
    # Samples are stratified, so a batch never lacks a transition with a large part of the sum.
    assert all(19 in world.buffer.sample(rng, 32).action for _ in range(100))


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_weights_correct_the_bias_of_prioritised_sampling(beta):
    world, priorities = prioritized()
    batch = world.buffer.sample(np.random.default_rng(2), 16, beta)
    probability = np.array([priorities[number] for number in batch.action.tolist()]) / sum(priorities.values())
    expected = (20 * probability) ** -beta
    np.testing.assert_allclose(batch.weight, expected / expected.max(), rtol=1e-5)
    assert batch.weight.max() == 1.0


def test_without_priorities_all_weights_are_one():
    world = World()
    world.play(10)
    batch = world.buffer.sample(np.random.default_rng(0), 16, beta=1.0)
    assert batch.weight.tolist() == [1.0] * 16


def relative_probabilities(world):
    """Probability of every step up to a common factor, by its number: the inverse of its weight for beta = 1."""
    batch = world.buffer.sample(np.random.default_rng(0), 50 * DRAWS, beta=1.0)
    numbers, rows = np.unique(batch.action, return_index=True)
    return dict(zip(numbers.tolist(), (1.0 / batch.weight[rows]).tolist(), strict=True))


def test_a_new_transition_has_the_highest_priority_so_far():
    world, _ = prioritized(capacity=40)
    batch = world.buffer.sample(np.random.default_rng(0), DRAWS)
    world.buffer.set_priorities(batch.indices, np.full(DRAWS, 0.01))  # the highest so far remains 19
    world.play(1)
    found = relative_probabilities(world)
    assert found.keys() == set(range(22))
    for number in (20, 21):
        assert found[number] / found[1] == pytest.approx(np.sqrt((19 + 1e-6) / (0.01 + 1e-6)), rel=1e-3)


def test_an_overwritten_transition_is_never_drawn_whatever_its_priority_was():
    world, _ = prioritized(capacity=20)
    batch = world.buffer.sample(np.random.default_rng(0), DRAWS)
    world.buffer.set_priorities(batch.indices, np.where(batch.action < 6, 1e9, 1e-3))
    for steps in range(1, 11):
        world.play(1)
        drawn = numbers_drawn(world.buffer)
        assert drawn <= set(world.complete(0) + world.complete(1))
        assert 2 * steps in drawn or steps > 2
