"""Normalised rewards by hand, and against Gymnasium's wrapper."""

import gymnasium
import numpy as np
import tensorflow as tf
from gymnasium import spaces, wrappers

from paac_cli.learning.reward_normalizer import RewardNormalizer

GAMMA = 0.9


def rewards_and_ends(num_steps, num_envs):
    rng = np.random.default_rng(0)
    reward = rng.normal(1.0, 3.0, (num_steps, num_envs)).astype(np.float32)
    return reward, rng.random((num_steps, num_envs)) < 0.2


def test_normalised_rewards_by_hand():
    # Returns of the first environment: 2, 3, 4 + 1.5 = 5.5; of the second: 0, 4, then in a new episode 2.
    # Their mean is 2.75, and their squares add up to 4 + 9 + 30.25 + 16 + 4 = 63.25.
    normalizer = RewardNormalizer(2, 0.5)
    reward = np.array([[2, 0], [2, 4], [4, 2]], np.float32)
    result = normalizer(tf.constant(reward), tf.constant([[False, False], [False, True], [False, False]]))
    np.testing.assert_allclose(result, reward / np.sqrt(63.25 / 6 - 2.75**2 + 1e-5), rtol=1e-5)
    # The first continues with 0 + 5.5/2, ends, and starts again with 3; the second with 1 + 2/2 and 0 + 2/2.
    reward = np.array([[0, 1], [3, 0]], np.float32)
    result = normalizer(tf.constant(reward), tf.constant([[True, False], [False, False]]))
    returns = [2, 3, 5.5, 0, 4, 2, 2.75, 3, 2, 1]
    np.testing.assert_allclose(result, reward / np.sqrt(np.var(returns) + 1e-5), rtol=1e-5)


def test_normalised_rewards_are_clipped_to_10_deviations():
    normalizer = RewardNormalizer(2, 0.5)
    normalizer.observe(tf.constant([[0.0, 4.0]]), tf.constant([[True, True]]))  # deviation 2
    clipped = normalizer.normalize(tf.constant([30.0, 18.0, -18.0, -30.0]))
    np.testing.assert_allclose(clipped, [10.0, 9.0, -9.0, -10.0], rtol=1e-5)


def test_returns_continue_across_rollouts():
    reward, ended = rewards_and_ends(12, 3)
    whole, in_parts = RewardNormalizer(3, GAMMA), RewardNormalizer(3, GAMMA)
    for first, last in [(0, 5), (5, 6), (6, 12)]:
        result = in_parts(tf.constant(reward[first:last]), tf.constant(ended[first:last]))
    np.testing.assert_allclose(result, whole(tf.constant(reward), tf.constant(ended))[6:], rtol=1e-5)


def test_every_environment_has_its_own_return():
    reward, ended = rewards_and_ends(30, 3)
    returns, running = [], np.zeros(3)
    for t in range(30):
        running = GAMMA * running + reward[t]
        returns.append(running.copy())
        running[ended[t]] = 0
    result = RewardNormalizer(3, GAMMA)(tf.constant(reward), tf.constant(ended))
    np.testing.assert_allclose(result, reward / np.sqrt(np.var(returns) + 1e-5), rtol=1e-5)


class _ScriptedRewards(gymnasium.Env):
    """Gives the rewards it was made with, one a step, and never ends."""

    observation_space, action_space = spaces.Discrete(1), spaces.Discrete(1)

    def __init__(self, rewards):
        self._rewards = iter(rewards)

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        return 0, next(self._rewards), False, False, {}


def test_within_an_episode_the_deviation_equals_that_of_gymnasiums_wrapper():
    """At the ends of episodes it differs: see `RewardNormalizer`.

    Gymnasium divides each reward by the deviation so far, so only the last step can be compared.
    """
    reward, _ = rewards_and_ends(200, 1)
    wrapper = wrappers.NormalizeReward(_ScriptedRewards(reward[:, 0].tolist()), gamma=GAMMA)
    wrapper.reset()
    expected = [float(wrapper.step(0)[1]) for _ in range(200)]
    found = RewardNormalizer(1, GAMMA)(tf.constant(reward), tf.zeros((200, 1), tf.bool))
    np.testing.assert_allclose(found[-1, 0], expected[-1], rtol=1e-4)
