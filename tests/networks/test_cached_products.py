"""An update that reuses the products of acting equals one that computes them."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.cached_products import cached_product, collecting_products, reusing_products
from paac_cli.networks.recurrent import NO_STATE
from paac_cli.spec import EnvSpec, discrete_action

IMAGES = EnvSpec((84, 84, 4), np.dtype(np.uint8), discrete_action(tuple("abcdef")), 60.0)
VECTORS = EnvSpec((7,), np.dtype(np.float32), discrete_action(tuple("ab")), 60.0)


def network_and_obs(spec, **options):
    rng = np.random.default_rng(0)
    obs = rng.integers(0, 255, (6, *spec.obs_shape)) if spec is IMAGES else rng.normal(size=(6, *spec.obs_shape))
    return ActorCritic(NetworkConfig(**options), spec, rng), obs.astype(spec.obs_dtype)


def loss_and_gradients(network, obs):
    with tf.GradientTape() as tape:
        parameters, value, _ = network.step(tf.constant(obs), NO_STATE)
        loss = tf.reduce_sum(tf.square(parameters)) + tf.reduce_sum(tf.sin(value))
    return loss, tape.gradient(loss, network.trainable_variables)


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("normalize_obs", [False, True])
@pytest.mark.parametrize(
    ("spec", "torso"), [(IMAGES, "nips"), (IMAGES, "nature"), (IMAGES, "gamma"), (IMAGES, "impala"), (VECTORS, "mlp")]
)
def test_loss_and_gradients_with_reused_products_equal_those_without(spec, torso, layer_norm, normalize_obs):
    network, obs = network_and_obs(spec, torso=torso, layer_norm=layer_norm, normalize_obs=normalize_obs)
    loss, gradients = loss_and_gradients(network, obs)
    with collecting_products() as first:
        network.step(tf.constant(obs[:4]), NO_STATE)
    with collecting_products() as second:
        network.step(tf.constant(obs[4:]), NO_STATE)
    with reusing_products([tf.concat(parts, axis=0) for parts in zip(first, second, strict=True)]):
        found_loss, found_gradients = loss_and_gradients(network, obs)
    np.testing.assert_allclose(found_loss, loss, rtol=1e-4)
    for found, expected in zip(found_gradients, gradients, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max() + 1e-6)


def test_reused_products_are_not_computed_again():
    network, obs = network_and_obs(IMAGES, torso="nips")
    with collecting_products() as products:
        network.step(obs, NO_STATE)
    with reusing_products([tf.zeros_like(product) for product in products]):
        parameters, value, _ = network.step(obs, NO_STATE)
    assert not np.any(parameters)
    assert not np.any(value)


def needed_operations(function):
    """Types of the operations that the outputs of `function` depend on. TensorFlow runs no others."""
    graph = tf.function(function).get_concrete_function()
    pending, needed = [output.op for output in graph.outputs], {}
    while pending:
        operation = pending.pop()
        if operation.name not in needed:
            needed[operation.name] = operation.type
            pending += [tensor.op for tensor in operation.inputs]
    return list(needed.values())


def test_the_graph_of_an_update_has_no_forward_product():
    network, obs = network_and_obs(IMAGES, torso="nips")
    with collecting_products() as products:
        network.step(obs, NO_STATE)

    def with_reused_products():
        with reusing_products(products):
            return loss_and_gradients(network, obs)

    computed = needed_operations(lambda: loss_and_gradients(network, obs))
    reused = needed_operations(with_reused_products)
    assert (computed.count("Conv2D"), reused.count("Conv2D")) == (2, 0)
    assert computed.count("MatMul") - reused.count("MatMul") == 3  # those of the torso, the policy and the value
    assert computed.count("Conv2DBackpropFilter") == reused.count("Conv2DBackpropFilter") == 2


def test_products_must_be_reused_by_as_many_layers_as_collected_them():
    network, obs = network_and_obs(VECTORS, torso="mlp")
    with collecting_products() as products:
        network.step(obs, NO_STATE)
    with pytest.raises(AssertionError, match="more products were"), reusing_products([*products, products[-1]]):
        network.step(obs, NO_STATE)
    with pytest.raises(AssertionError, match="fewer products were"), reusing_products(products[:-1]):
        network.step(obs, NO_STATE)
    assert cached_product(tf.add, 1.0, 2.0) == 3.0  # after the block products are computed again
