"""Torsos: their variables, their outputs against NumPy and Keras, and their initial weights."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.learning.graphs import GraphFunction
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.initializers import fan_in_uniform
from paac_cli.networks.normalizer import moments_of
from paac_cli.networks.q_network import QNetwork
from paac_cli.networks.recurrent import NO_STATE
from paac_cli.runs.checkpoint import load_policy
from paac_cli.spec import EnvSpec, discrete_action

IMAGE = (84, 84, 4)


def network(torso, obs_shape=IMAGE, num_actions=6, **options):
    config = NetworkConfig(torso=torso, **options)
    spec = EnvSpec(obs_shape, np.dtype(np.uint8), discrete_action(("",) * num_actions), 60.0)
    return ActorCritic(config, spec, np.random.default_rng(0))


def outputs(model, obs):
    """Parameters of the policy, and values."""
    parameters, value, _ = model.step(obs, NO_STATE)
    return parameters, value


def shapes(model):
    return {variable.name.removesuffix(":0"): tuple(variable.shape) for variable in model.trainable_variables}


def test_the_variables_of_arch_nips_of_the_paper():
    assert shapes(network("nips")) == {
        "torso/0/kernel": (8, 8, 4, 16),
        "torso/0/bias": (16,),
        "torso/1/kernel": (4, 4, 16, 32),
        "torso/1/bias": (32,),
        "torso/2/kernel": (9 * 9 * 32, 256),
        "torso/2/bias": (256,),
        "policy/kernel": (256, 6),
        "policy/bias": (6,),
        "value/kernel": (256, 1),
        "value/bias": (1,),
    }


def test_the_variables_of_arch_nature_of_the_paper():
    found = shapes(network("nature"))
    assert found["torso/2/kernel"] == (3, 3, 64, 64)
    assert found["torso/3/kernel"] == (7 * 7 * 64, 512)


def test_the_variables_of_the_large_impala_network():
    found = shapes(network("impala"))
    channels = {0: [4, *[16] * 4], 1: [16, *[32] * 4], 2: [32] * 5}
    expected = {}
    for section, inputs in channels.items():
        filters = 16 if section == 0 else 32
        for index, channel in enumerate(inputs):
            expected[f"torso/{section}/{index}/kernel"] = (3, 3, channel, filters)
            expected[f"torso/{section}/{index}/bias"] = (filters,)
    # 84 -> 42 -> 21 -> 11
    expected |= {"torso/3/kernel": (11 * 11 * 32, 256), "torso/3/bias": (256,)}
    assert {name: shape for name, shape in found.items() if name.startswith("torso/")} == expected
    # (592 + 4 * 2320) + (4640 + 4 * 9248) + 5 * 9248 + 991_488
    assert sum(np.prod(shape) for shape in expected.values()) == 1_089_232


def test_a_value_with_a_torso_of_its_own_shares_no_weights_with_the_policy():
    model = network("nips", separate_value=True)
    torso = {name: shape for name, shape in shapes(model).items() if name.startswith("torso/")}
    assert shapes(model) == shapes(network("nips")) | {f"value_{name}": shape for name, shape in torso.items()}
    obs = np.random.default_rng(1).integers(256, size=(2, *IMAGE), dtype=np.uint8)
    with tf.GradientTape(persistent=True) as tape:
        of_heads = dict(zip(("policy", "value"), outputs(model, tf.constant(obs)), strict=True))
    for kind, output in of_heads.items():
        gradients = tape.gradient(output, model.trainable_variables)
        reached = {
            variable.name.partition("/")[0]
            for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
            if gradient is not None and np.abs(gradient).max() > 0
        }
        assert reached == {"policy": {"torso", "policy"}, "value": {"value_torso", "value"}}[kind]


def test_a_value_with_a_torso_of_its_own_gets_observations_as_the_policy_does():
    """With the weights of the other torso, and one head, it gives the value of a network with one torso."""
    obs = tf.constant(np.random.default_rng(1).integers(256, size=(3, 2, 3), dtype=np.uint8))
    one, two = (network("mlp", (2, 3), normalize_obs=True, separate_value=separate) for separate in (False, True))
    for model in (one, two):
        model.observe(obs, moments_of)
    arrays, of_two = Variables(one.variables).to_arrays(), Variables(two.variables)
    copies = {f"value_{name}": array for name, array in arrays.items() if name.startswith("torso/")}
    assert sum("normalizer" in name for name in of_two.to_arrays()) == sum("normalizer" in name for name in arrays)
    of_two.assign(arrays | copies)
    for mine, other in zip(outputs(one, obs), outputs(two, obs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(two.values(obs, NO_STATE), outputs(two, obs)[1], rtol=1e-6)


def test_mlp_flattens_its_input():
    found = shapes(network("mlp", obs_shape=(2, 3), hidden_sizes=(8, 5)))
    assert found["torso/0/kernel"] == (6, 8)
    assert found["torso/1/kernel"] == (8, 5)


def test_bytes_are_scaled_and_floats_are_not():
    model = network("mlp", obs_shape=(3,))
    as_bytes = outputs(model, tf.constant([[0, 51, 255]], tf.uint8))[0]
    as_floats = outputs(model, tf.constant([[0.0, 0.2, 1.0]]))[0]
    np.testing.assert_allclose(as_bytes, as_floats, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "function"), [(None, np.tanh), ("tanh", np.tanh), ("relu", lambda x: np.maximum(x, 0))]
)
def test_mlp_by_hand(activation, function):
    model = network("mlp", obs_shape=(2,), hidden_sizes=(3, 2), activation=activation)
    obs = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    arrays = Variables(model.variables).to_arrays()
    features = obs
    for index in range(2):
        features = function(features @ arrays[f"torso/{index}/kernel"] + arrays[f"torso/{index}/bias"])
    value = features @ arrays["value/kernel"] + arrays["value/bias"]
    np.testing.assert_allclose(outputs(model, tf.constant(obs))[1], value[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_impala_equals_the_figure_of_the_paper_built_in_keras(layer_norm):
    """Figure 3 of Espeholt et al. 2018, right-hand side, and experiment.py of deepmind/scalable_agent."""
    layers = tf.keras.layers
    rng = np.random.default_rng(0)
    model = network("impala", obs_shape=(9, 7, 3), layer_norm=layer_norm)
    for variable in model.trainable_variables:
        if not variable.name.endswith("kernel:0"):
            variable.assign(rng.normal(variable.numpy(), 0.5))  # so that no bias and no shift is 0
    arrays = Variables(model.variables).to_arrays()

    def weighted(layer, prefix, inputs):
        outputs = layer(inputs)
        layer.set_weights([arrays[f"{prefix}/kernel"], arrays[f"{prefix}/bias"]])
        outputs = layer(inputs)
        if layer_norm:
            norm = layers.LayerNormalization(epsilon=1e-6)
            norm.build(outputs.shape)
            norm.set_weights([arrays[f"{prefix}/scale"], arrays[f"{prefix}/shift"]])
            outputs = norm(outputs)
        return outputs

    obs = rng.integers(0, 255, (4, 9, 7, 3)).astype(np.uint8)
    features = tf.constant(obs.astype(np.float32) / 255)
    for section, filters in enumerate((16, 32, 32)):

        def conv(index, inputs, section=section, filters=filters):
            return weighted(layers.Conv2D(filters, 3, padding="same"), f"torso/{section}/{index}", inputs)

        features = layers.MaxPooling2D(3, 2, padding="same")(conv(0, features))
        for block in (1, 3):
            inner = conv(block, tf.nn.relu(features))
            features = features + conv(block + 1, tf.nn.relu(inner))
    features = layers.Flatten()(tf.nn.relu(features))
    features = tf.nn.relu(weighted(layers.Dense(256), "torso/3", features))
    value = features @ arrays["value/kernel"] + arrays["value/bias"]
    np.testing.assert_allclose(outputs(model, tf.constant(obs))[1], value[:, 0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(4,), (84, 84)])
def test_impala_refuses_observations_that_are_not_images(shape):
    with pytest.raises(ConfigError, match=r"torso = 'impala' does not fit: layer 0 takes images .* of at least 1x1"):
        network("impala", obs_shape=shape)
    assert outputs(network("impala", obs_shape=(5, 7, 3)), tf.zeros((2, 5, 7, 3), tf.uint8))[0].shape == (2, 6)


@pytest.mark.parametrize("shape", [(4,), (16, 16, 3), (84, 84)])
def test_nips_refuses_observations_that_are_not_large_images(shape):
    with pytest.raises(
        ConfigError, match=r"torso = 'nips' does not fit: layer \d takes images .* mlp, which takes any shape$"
    ):
        network("nips", obs_shape=shape)


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [((7, 7, 3), "impala, which takes images of any size, or mlp"), ((4,), "mlp"), ((84, 84), "mlp")],
)
def test_the_error_of_a_torso_for_large_images_names_others_that_fit(shape, remedy):
    with pytest.raises(ConfigError, match=f"; use {remedy}, which takes any shape$"):
        network("nature", obs_shape=shape)
    network(remedy.partition(",")[0], obs_shape=shape)


def test_nature_and_nips_take_images_of_at_least_36_pixels():
    for torso in ("nature", "nips"):
        network(torso, obs_shape=(36, 36, 3))
    with pytest.raises(ConfigError, match="'nature' does not fit"):
        network("nature", obs_shape=(36, 35, 3))


# --- LayerNorm


@pytest.mark.parametrize("torso", ["nips", "nature", "gamma", "impala", "mlp"])
def test_layer_norm_adds_a_scale_and_a_shift_to_each_layer_and_changes_no_initial_weight(torso):
    plain, normed = network(torso), network(torso, layer_norm=True)
    before, after = Variables(plain.variables).to_arrays(), Variables(normed.variables).to_arrays()
    biases = {name: array for name, array in before.items() if name.startswith("torso/") and name.endswith("/bias")}
    added = {name: after[name] for name in after.keys() - before.keys()}
    assert {name: array.shape for name, array in added.items()} == {
        name.replace("/bias", end): array.shape for name, array in biases.items() for end in ("/scale", "/shift")
    }
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name])
    for name, array in added.items():
        np.testing.assert_array_equal(array, np.full(array.shape, name.endswith("/scale")))
    obs = tf.constant(np.random.default_rng(0).integers(0, 255, (2, *IMAGE)), tf.uint8)
    assert np.abs(outputs(plain, obs)[0] - outputs(normed, obs)[0]).max() > 1e-4


def test_initial_weights_are_drawn_one_layer_after_the_other():
    """A seed reproduces a run only if the order of these draws never changes."""
    arrays = Variables(network("nips", initializer="fan_in_uniform").variables).to_arrays()
    rng, drawn = np.random.default_rng(0), {}
    for layer in ("torso/0", "torso/1", "torso/2", "policy", "value"):
        drawn[f"{layer}/kernel"], drawn[f"{layer}/bias"] = fan_in_uniform(arrays[f"{layer}/kernel"].shape, 1.0, rng)
    assert arrays.keys() == drawn.keys()
    for name, array in drawn.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_a_published_policy_still_computes_the_same_logits():
    (path,) = (Path(__file__).parents[2] / "results/pong/seed1/checkpoints").glob("best_*")
    trained = load_policy(path)
    spec = EnvSpec(IMAGE, np.dtype(np.uint8), discrete_action(("",) * 6), 60.0)
    model = ActorCritic(trained.config.network, spec, np.random.default_rng(0))
    Variables(model.variables).assign(trained.policy)
    obs = np.random.default_rng(0).integers(0, 255, (2, *IMAGE)).astype(np.uint8)

    def weights(layer):
        return trained.policy[f"{layer}/kernel"], trained.policy[f"{layer}/bias"]

    features = obs.astype(np.float32) / 255
    if trained.config.network.normalize_obs:
        mean, variance = (trained.policy[f"normalizer/{name}"] for name in ("mean", "variance"))
        features = np.clip((features - mean) / np.sqrt(variance + 1e-5), -5, 5)
    for index, stride in enumerate((4, 2)):
        kernel, bias = weights(f"torso/{index}")
        features = tf.nn.relu(tf.nn.conv2d(features, kernel, stride, "VALID") + bias)
    kernel, bias = weights("torso/2")
    features = tf.nn.relu(tf.reshape(features, (2, -1)) @ kernel + bias)
    kernel, bias = weights("policy")
    assert trained.config.network.torso == "nips"
    np.testing.assert_allclose(outputs(model, tf.constant(obs))[0], features @ kernel + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [ActorCritic, QNetwork])
@pytest.mark.parametrize(
    "options", [{"torso": "impala"}, {"torso": "impala", "layer_norm": True}, {"torso": "mlp", "layer_norm": True}]
)
def test_the_gradient_reaches_every_variable(kind, options):
    spec = EnvSpec((12, 12, 3), np.dtype(np.uint8), discrete_action(("",) * 3), 60.0)
    model = kind(NetworkConfig(**options), spec, np.random.default_rng(0))
    obs = tf.constant(np.random.default_rng(0).integers(0, 255, (4, 12, 12, 3)), tf.uint8)
    with tf.GradientTape() as tape:
        loss = tf.add_n(
            [tf.reduce_sum(tf.square(output - 1.0)) for output in tf.nest.flatten(model.step(obs, NO_STATE))]
        )
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        assert np.abs(gradient).max() > 0, variable.name


def gradient_graph():
    """A graph: observations -> the gradients of a torso with layer normalisation, which are sums of several tensors."""
    model = network("gamma", layer_norm=True)

    def gradient(obs):
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_sum(part) for part in outputs(model, obs)])
        return tape.gradient(loss, model.trainable_variables)

    return GraphFunction(gradient), len(model.trainable_variables)


def test_the_gradient_of_a_large_batch_is_computed_in_one_thread():
    """TensorFlow would rewrite sums in large graphs to operations that need its usual executor."""
    graph, number = gradient_graph()
    found = graph(tf.ones([256, *IMAGE], tf.uint8))
    assert len(found) == number
    assert all(np.isfinite(part).all() for part in found)


def test_the_gradient_of_a_large_batch_is_the_same_each_time_on_the_usual_executor(monkeypatch):
    """TensorFlow would rewrite sums in large graphs to additions in an order that depends on timing."""
    monkeypatch.setattr("paac_cli.learning.graphs._executor_for", lambda nodes: "")
    graph, _ = gradient_graph()
    obs = tf.constant(np.random.default_rng(0).integers(0, 255, (256, *IMAGE)), tf.uint8)
    expected = [part.numpy() for part in graph(obs)]
    for _ in range(6):
        for found, wanted in zip(graph(obs), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_the_first_policy_is_almost_uniform():
    obs = tf.constant(np.random.default_rng(0).integers(0, 255, (8, *IMAGE)), tf.uint8)
    logits, _ = outputs(network("nips"), obs)
    assert np.abs(logits).max() < 0.2


def test_the_normalizer_is_saved_but_not_trained():
    model = network("mlp", obs_shape=(3,), normalize_obs=True)
    names = {variable.name.removesuffix(":0") for variable in model.variables}
    assert {"normalizer/mean", "normalizer/variance", "normalizer/count"} <= names
    assert not any(name.startswith("normalizer") for name in shapes(model))
