"""What one of several processes computes, with stand-ins for the others."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.load import read_config
from paac_cli.config.presets import find_preset
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.normalizer import moments_of
from paac_cli.networks.recurrent import NO_STATE
from paac_cli.spec import EnvSpec, discrete_action

IMAGES = EnvSpec((84, 84, 4), np.dtype(np.uint8), discrete_action(("left", "right")), 30.0)


def alone_among(num_envs, envs):
    """A group whose other processes contribute zeros."""
    return ProcessGroup(num_envs, envs, total=tf.identity)


def in_groups(num_envs, shares, function):
    """`function(group)` of each process of a group, each in a thread; returns the results."""
    barrier, vectors = threading.Barrier(len(shares)), [None] * len(shares)

    def total_of(rank):
        def total(vector):
            vectors[rank] = vector.numpy()
            barrier.wait(10)
            result = tf.constant(sum(vectors))
            barrier.wait(10)
            return result

        return total

    groups = [ProcessGroup(num_envs, envs, total_of(rank)) for rank, envs in enumerate(shares)]
    with ThreadPoolExecutor(len(shares)) as threads:
        return list(threads.map(function, groups))


def test_own_rows_are_those_of_own_environments():
    group = alone_among(5, range(1, 3))  # rows 1, 2, 6, 7, 11, 12 of T = 3
    own = group.own_rows(tf.constant([0, 7, 11, 3, 2]))
    np.testing.assert_array_equal(own.local, [3, 4, 1])  # t * 2 + (env - 1)
    np.testing.assert_array_equal(own.of(tf.constant([10, 20, 30, 40, 50])), [20, 30, 50])
    assert own.share.numpy() == pytest.approx(3 / 5)


@pytest.mark.parametrize("torso", ["nips", "nature", "gamma", "impala"])
def test_a_minibatch_without_own_rows_contributes_nothing(torso):
    config = read_config(find_preset("ppo/pong"), {"network.torso": torso, "network.normalize_obs": False})
    network = ActorCritic(config.network, IMAGES, np.random.default_rng(0))
    group = alone_among(4, range(2))
    obs = tf.constant(np.random.default_rng(0).integers(256, size=(6, 84, 84, 4), dtype=np.uint8))

    def gradients(rows):
        own = group.own_rows(rows)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(network.values(tf.gather(obs, own.local), NO_STATE))
        return group.average(
            tape.gradient(loss, network.trainable_variables, None, tf.UnconnectedGradients.ZERO), own.share
        )

    graph = tf.function(gradients, autograph=False, input_signature=[tf.TensorSpec([2], tf.int32)])
    assert all(np.all(gradient == 0.0) for gradient in graph(tf.constant([2, 7])))  # environments 2 and 3
    assert any(np.any(gradient != 0.0) for gradient in graph(tf.constant([2, 4])))  # environments 2 and 0


SHARES = (range(4), range(4, 6))  # of 6 environments


def test_moments_are_those_of_the_rows_of_all_processes():
    batch = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)  # [T, N, ...]
    expected = moments_of(tf.constant(batch.reshape(-1, 3)))
    for found in in_groups(6, SHARES, lambda group: group.moments(tf.reshape(group.own_envs(batch), [-1, 3]))):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_gathered_arrays_hold_all_environments_in_order():
    actions, flags = np.arange(12).reshape(2, 6), np.arange(12).reshape(2, 6) % 5 == 0
    for found in in_groups(
        6,
        SHARES,
        lambda group: group.gather([tf.constant(group.own_envs(actions)), tf.constant(group.own_envs(flags))]),
    ):
        for one, other in zip(found, (actions, flags), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_averages_weigh_each_process_by_its_rows():
    values, rows = np.arange(12.0, dtype=np.float32), np.array([0, 5, 6, 11, 4], np.int32)

    def average(group):
        own = group.own_rows(tf.constant(rows))
        mine = values.reshape(2, 6)[:, group.envs.start : group.envs.stop].ravel()
        return group.average([tf.reduce_mean(tf.gather(mine, own.local))], own.share)[0]

    for found in in_groups(6, SHARES, average):
        assert found.numpy() == pytest.approx(values[rows].mean())


def test_the_noise_of_a_row_does_not_depend_on_which_process_draws_it():
    def draw(parameters):
        return parameters + tf.random.stateless_uniform(tf.shape(parameters), [1, 2])

    parameters = tf.zeros([5, 2])
    whole = ProcessGroup(5).sample(draw, parameters)
    part = alone_among(5, range(2, 4)).sample(draw, parameters[2:4])
    np.testing.assert_array_equal(part, whole[2:4])
