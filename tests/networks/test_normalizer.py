"""Running moments against NumPy, and rewards as Gymnasium divides them."""

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces, wrappers

from paac_cli.networks.normalizer import RewardNormalizer, RunningMoments

GAMMA = 0.9


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("cuts", [[], [1, 2, 3], [7, 30], [59]])
def test_the_moments_are_those_of_all_that_was_seen_however_it_came(shape, cuts):
    data = np.random.default_rng(0).normal(3.0, 2.0, (60, *shape)).astype(np.float32)
    moments = RunningMoments(shape, "test")
    for part in np.split(data, cuts):
        moments.update(tf.constant(part))
    np.testing.assert_allclose(moments.mean.numpy(), data.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(moments.variance.numpy(), data.var(axis=0), rtol=1e-5)
    np.testing.assert_allclose(moments.deviation.numpy(), np.sqrt(data.var(axis=0) + 1e-5), rtol=1e-5)


def test_before_anything_was_seen_the_moments_are_zero_and_one():
    moments = RunningMoments((2,), "test")
    assert moments.mean.numpy().tolist() == [0, 0]
    assert moments.variance.numpy().tolist() == [1, 1]


def test_what_was_seen_first_takes_the_place_of_zero_and_one():
    moments = RunningMoments((), "test")
    moments.update(tf.constant([5.0]))
    assert (moments.mean.numpy(), moments.variance.numpy()) == (5, 0)


def test_moments_go_on_from_their_variables():
    data = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    one, other = RunningMoments((2,), "test"), RunningMoments((2,), "test")
    one.update(tf.constant(data[:25]))
    assert {variable.name for variable in one.variables} == {"test/count:0", "test/mean:0", "test/variance:0"}
    for ours, theirs in zip(other.variables, one.variables, strict=True):
        ours.assign(theirs)
    for moments in (one, other):
        moments.update(tf.constant(data[25:]))
    np.testing.assert_array_equal(one.mean.numpy(), other.mean.numpy())
    np.testing.assert_array_equal(one.variance.numpy(), other.variance.numpy())


def rewards_and_ends(num_steps, num_envs):
    rng = np.random.default_rng(0)
    reward = rng.normal(1.0, 3.0, (num_steps, num_envs)).astype(np.float32)
    return reward, rng.random((num_steps, num_envs)) < 0.2


def test_rewards_are_divided_by_the_deviation_of_the_discounted_return_by_hand():
    # Returns 2, 3, 4 + 1.5 = 5.5 of the first; 0, 4, ended, then 2 of the second: their mean is 2.75,
    # and their squares add up to 4 + 9 + 30.25 + 16 + 4 = 63.25.
    normalizer = RewardNormalizer(2, 0.5)
    reward = np.array([[2, 0], [2, 4], [4, 2]], np.float32)
    result = normalizer(tf.constant(reward), tf.constant([[False, False], [False, True], [False, False]]))
    np.testing.assert_allclose(result, reward / np.sqrt(63.25 / 6 - 2.75**2 + 1e-5), rtol=1e-5)
    # The first goes on with 0 + 5.5/2 and is cut off, the second with 1 + 2/2, and then 3 + 2/2 and 0 + 1.
    reward = np.array([[0, 1], [3, 0]], np.float32)
    result = normalizer(tf.constant(reward), tf.constant([[True, False], [False, False]]))
    returns = [2, 3, 5.5, 0, 4, 2, 2.75, 3, 2, 1]
    np.testing.assert_allclose(result, reward / np.sqrt(np.var(returns) + 1e-5), rtol=1e-5)


def test_returns_do_not_see_where_a_rollout_ends():
    reward, ended = rewards_and_ends(12, 3)
    whole, in_parts = RewardNormalizer(3, GAMMA), RewardNormalizer(3, GAMMA)
    for first, last in [(0, 5), (5, 6), (6, 12)]:
        result = in_parts(tf.constant(reward[first:last]), tf.constant(ended[first:last]))
    np.testing.assert_allclose(result, whole(tf.constant(reward), tf.constant(ended))[6:], rtol=1e-5)


def test_every_environment_has_a_return_of_its_own():
    reward, ended = rewards_and_ends(30, 3)
    returns, running = [], np.zeros(3)
    for t in range(30):
        running = GAMMA * running + reward[t]
        returns.append(running.copy())
        running[ended[t]] = 0
    result = RewardNormalizer(3, GAMMA)(tf.constant(reward), tf.constant(ended))
    np.testing.assert_allclose(result, reward / np.sqrt(np.var(returns) + 1e-5), rtol=1e-5)


class _Paying(gymnasium.Env):
    """Pays what it was made with, one reward a step, and never ends."""

    observation_space, action_space = spaces.Discrete(1), spaces.Discrete(1)

    def __init__(self, rewards):
        self._rewards = iter(rewards)

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        return 0, next(self._rewards), False, False, {}


def test_within_an_episode_the_deviation_is_gymnasiums():
    """At the ends it is not: see the class. Gymnasium divides by what it knows so far, so the last step is compared."""
    reward, _ = rewards_and_ends(200, 1)
    gymnasiums = wrappers.NormalizeReward(_Paying(reward[:, 0].tolist()), gamma=GAMMA)
    gymnasiums.reset()
    theirs = [float(gymnasiums.step(0)[1]) for _ in range(200)]
    ours = RewardNormalizer(1, GAMMA)(tf.constant(reward), tf.zeros((200, 1), tf.bool))
    np.testing.assert_allclose(ours[-1, 0], theirs[-1], rtol=1e-4)
