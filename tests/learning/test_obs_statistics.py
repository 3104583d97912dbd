"""Which observations the running statistics of a network include."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.learning.obs_statistics import ObsStatistics
from paac_cli.learning.process_group import ProcessGroup


class _Counter:
    """A network that counts how often it observes each number."""

    def __init__(self):
        self._counts = tf.Variable(tf.zeros(100))

    def observe(self, obs, moments):
        self._counts.assign_add(tf.reduce_sum(tf.one_hot(obs, 100), axis=0))

    @property
    def observed(self):
        return np.repeat(np.arange(100), self._counts.numpy().astype(int)).tolist()


@pytest.mark.parametrize(
    ("num_steps", "expected"),
    [(5, [5, 10, 15]), (8, [8, 16, 24]), (16, [8, 16, 24, 32, 40, 48]), (20, [4, 12, 20, 24, 32, 40, 44, 52, 60])],
)
def test_every_eighth_observation_of_a_rollout_is_included_once(num_steps, expected):
    network = _Counter()
    statistics = ObsStatistics(network, ProcessGroup(1), enabled=True)
    for start in range(0, 3 * num_steps, num_steps):
        statistics.add_rollout(np.arange(start, start + num_steps + 1)[:, None])
    assert network.observed == expected


def test_the_observations_of_every_eighth_step_are_included():
    network = _Counter()
    statistics = ObsStatistics(network, ProcessGroup(1), enabled=True)
    for time in range(1, 26):
        statistics.add_step(np.array([time]), time)
    assert network.observed == [8, 16, 24]


def test_nothing_is_included_if_observations_are_not_normalised():
    network = _Counter()
    statistics = ObsStatistics(network, ProcessGroup(1), enabled=False)
    statistics.add_rollout(np.ones((9, 1), int))
    statistics.add_step(np.ones(1, int), 8)
    assert network.observed == []
