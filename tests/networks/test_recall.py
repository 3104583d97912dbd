"""What acting computed serves the update as if it had been computed there."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.recall import product, recalling, remembering
from paac_cli.spec import EnvSpec, discrete_action

SCREENS = EnvSpec((84, 84, 4), np.dtype(np.uint8), discrete_action(tuple("abcdef")), 60.0)
NUMBERS = EnvSpec((7,), np.dtype(np.float32), discrete_action(tuple("ab")), 60.0)


def network_and_obs(spec, **options):
    rng = np.random.default_rng(0)
    obs = rng.integers(0, 255, (6, *spec.obs_shape)) if spec is SCREENS else rng.normal(size=(6, *spec.obs_shape))
    return ActorCritic(NetworkConfig(**options), spec, rng), obs.astype(spec.obs_dtype)


def loss_and_gradients(network, obs):
    with tf.GradientTape() as tape:
        parameters, value = network(tf.constant(obs))
        loss = tf.reduce_sum(tf.square(parameters)) + tf.reduce_sum(tf.sin(value))
    return loss, tape.gradient(loss, network.trainable_variables)


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("normalize_obs", [False, True])
@pytest.mark.parametrize(
    ("spec", "torso"), [(SCREENS, "nips"), (SCREENS, "nature"), (SCREENS, "impala"), (NUMBERS, "mlp")]
)
def test_gradients_are_those_of_the_network_itself(spec, torso, layer_norm, normalize_obs):
    network, obs = network_and_obs(spec, torso=torso, layer_norm=layer_norm, normalize_obs=normalize_obs)
    loss, gradients = loss_and_gradients(network, obs)
    with remembering() as first:
        network(tf.constant(obs[:4]))
    with remembering() as second:
        network(tf.constant(obs[4:]))
    with recalling([tf.concat(parts, axis=0) for parts in zip(first, second, strict=True)]):
        recalled_loss, recalled = loss_and_gradients(network, obs)
    np.testing.assert_allclose(recalled_loss, loss, rtol=1e-4)
    for one, other in zip(recalled, gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(other).max() + 1e-6)


def test_what_is_recalled_is_taken_as_it_is():
    network, obs = network_and_obs(SCREENS, torso="nips")
    with remembering() as outputs:
        network(obs)
    with recalling([tf.zeros_like(output) for output in outputs]):
        parameters, value = network(obs)
    assert not np.any(parameters)
    assert not np.any(value)


def needed_operations(function):
    """Types of the operations that the outputs of `function` depend on: TensorFlow runs no others."""
    graph = tf.function(function).get_concrete_function()
    pending, needed = [output.op for output in graph.outputs], {}
    while pending:
        operation = pending.pop()
        if operation.name not in needed:
            needed[operation.name] = operation.type
            pending += [tensor.op for tensor in operation.inputs]
    return list(needed.values())


def test_an_update_multiplies_nothing_again():
    network, obs = network_and_obs(SCREENS, torso="nips")
    with remembering() as outputs:
        network(obs)

    def recalled():
        with recalling(outputs):
            return loss_and_gradients(network, obs)

    anew = needed_operations(lambda: loss_and_gradients(network, obs))
    again = needed_operations(recalled)
    assert (anew.count("Conv2D"), again.count("Conv2D")) == (2, 0)
    assert anew.count("MatMul") - again.count("MatMul") == 3  # those of the torso, the policy and the value
    assert anew.count("Conv2DBackpropFilter") == again.count("Conv2DBackpropFilter") == 2


def test_all_that_was_remembered_has_to_be_recalled():
    network, obs = network_and_obs(NUMBERS, torso="mlp")
    with remembering() as outputs:
        network(obs)
    with pytest.raises(AssertionError, match="more was remembered"), recalling([*outputs, outputs[-1]]):
        network(obs)
    assert product(tf.add, 1.0, 2.0) == 3.0  # nothing is left over for what comes later
