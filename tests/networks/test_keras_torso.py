"""A user-defined Keras model as a torso: its variables, inputs and outputs, learning and checkpoints."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_models import Subclassed, dense, failing, feature_maps, frozen, identity, name_of
from paac_cli.algorithms.agent import make_agent
from paac_cli.config.algorithms import ALGORITHM_CONFIGS
from paac_cli.config.load import load_config
from paac_cli.config.optimizers import AdamConfig
from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import CheckpointError, ConfigError
from paac_cli.learning.optimizers import make_optimizer
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.initializers import orthogonal
from paac_cli.networks.normalizer import moments_of
from paac_cli.networks.q_network import QNetwork
from paac_cli.networks.recurrent import NO_STATE
from paac_cli.networks.torsos import Torso
from paac_cli.spec import EnvSpec, discrete_action

IMAGES = EnvSpec((6, 6, 3), np.dtype(np.uint8), discrete_action(("",) * 3), 60.0)
VECTORS = EnvSpec((3,), np.dtype(np.float32), discrete_action(("",) * 3), 60.0)


def network(function, spec=VECTORS, seed=0, kind=ActorCritic, **options):
    return kind(NetworkConfig(torso=name_of(function), **options), spec, np.random.default_rng(seed))


def arrays(model):
    return Variables(model.variables).to_arrays()


# --- Variables.


def test_variable_names_do_not_depend_on_models_made_before():
    for _ in range(2):
        model = network(dense)
        found = {name: array.shape for name, array in arrays(model).items() if name.startswith("torso/")}
        trained = {
            "torso/0/kernel": (3, 16),
            "torso/1/bias": (16,),
            "torso/2/gamma": (16,),
            "torso/3/beta": (16,),
            "torso/7/kernel": (16, 8),
            "torso/8/bias": (8,),
        }
        kept = {
            "torso/4/moving_mean": (16,),
            "torso/5/moving_variance": (16,),
            "torso/6/seed_generator_state": (2,),
        }
        assert found == trained | kept
        names = {variable.name.removesuffix(":0") for variable in model.trainable_variables}
        assert {name for name in names if name.startswith("torso/")} == trained.keys()


def test_frozen_layers_are_not_trained():
    names = {variable.name.removesuffix(":0") for variable in network(frozen).trainable_variables}
    assert "torso/0/kernel" not in names
    assert "torso/7/kernel" in names


@pytest.mark.parametrize("function", [dense, Subclassed])
def test_the_weights_depend_on_the_seed_alone(function):
    random.seed(1)
    first = arrays(network(function))
    random.seed(2)
    keras.random.normal((1,))
    same, other = arrays(network(function)), arrays(network(function, seed=1))
    for name, array in first.items():
        np.testing.assert_array_equal(array, same[name])
    drawn = [name for name in first if name.endswith("kernel") or name.startswith("torso/0")]
    assert len(drawn) >= 3
    for name in drawn:
        assert (first[name] != other[name]).any(), name


def test_building_a_model_does_not_change_other_random_numbers():
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(1)
    network(dense)
    assert (random.random(), np.random.random()) == expected
    with pytest.raises(ConfigError):
        network(failing)
    random.seed(1)
    assert random.random() == expected[0]


# --- Inputs and outputs.


def test_bytes_are_scaled_to_0_to_1_and_floats_are_not_scaled():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (4, 6, 6, 3)).astype(np.uint8)
    torso = Torso(NetworkConfig(torso=name_of(identity)), IMAGES, orthogonal, rng)
    assert torso.num_features == 108
    np.testing.assert_allclose(torso(tf.constant(image)), image.reshape(4, 108) / 255, rtol=1e-6)
    vector = rng.normal(5.0, 3.0, (4, 3)).astype(np.float32)
    torso = Torso(NetworkConfig(torso=name_of(identity)), VECTORS, orthogonal, rng)
    np.testing.assert_array_equal(torso(tf.constant(vector)), vector)


def test_the_model_gets_normalised_observations():
    vector = np.random.default_rng(0).normal(5.0, 3.0, (100, 3)).astype(np.float32)
    config = NetworkConfig(torso=name_of(identity), normalize_obs=True)
    torso = Torso(config, VECTORS, orthogonal, np.random.default_rng(0))
    torso.observe(tf.constant(vector), moments_of)
    expected = (vector - vector.mean(axis=0)) / vector.std(axis=0)
    np.testing.assert_allclose(torso(tf.constant(vector)), expected, atol=1e-4)


def test_feature_maps_are_flattened():
    torso = Torso(NetworkConfig(torso=name_of(feature_maps)), IMAGES, orthogonal, np.random.default_rng(0))
    obs = tf.constant(np.random.default_rng(0).integers(0, 255, (2, 6, 6, 3)), tf.uint8)
    kernel, bias = (variable for variable in torso.variables)
    expected = tf.nn.relu(tf.nn.conv2d(tf.cast(obs, tf.float32) / 255, kernel, 1, "VALID") + bias)
    assert torso.num_features == 4 * 4 * 5
    np.testing.assert_allclose(torso(obs), tf.reshape(expected, (2, 80)), rtol=1e-4, atol=1e-5)


def test_the_model_runs_in_inference_mode():
    model = network(dense)
    obs = tf.constant(np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32))
    before = arrays(model)
    logits = model.step(obs, NO_STATE)[0]
    np.testing.assert_array_equal(logits, model.step(obs, NO_STATE)[0])  # dropout would differ
    np.testing.assert_allclose(logits[:1], model.step(obs[:1], NO_STATE)[0], atol=1e-6)  # batch statistics would, too
    for name, array in arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


# --- Learning.


@pytest.mark.parametrize("kind", [ActorCritic, QNetwork])
@pytest.mark.parametrize("function", [dense, Subclassed])
def test_the_model_gets_gradients_learns_and_is_restored(kind, function):
    rng = np.random.default_rng(0)
    obs = tf.constant(rng.normal(size=(64, 3)).astype(np.float32))
    target = tf.reduce_sum(obs, axis=1)
    model = network(function, kind=kind)
    # A value does not depend on the policy head.
    weights = [variable for variable in model.trainable_variables if not variable.name.startswith("policy")]
    optimizer = make_optimizer(AdamConfig(), weights)

    def loss_of(network):
        value = network.values(obs, NO_STATE) if kind is ActorCritic else network(obs)[:, 0]
        return tf.reduce_mean(tf.square(value - target))

    @tf.function
    def update():
        with tf.GradientTape() as tape:
            loss = loss_of(model)
        gradients = tape.gradient(loss, weights)
        optimizer.apply(gradients, tf.constant(0.01))
        return gradients

    first, before = float(loss_of(model)), arrays(model)
    gradients = update()
    for variable, gradient in zip(weights, gradients, strict=True):
        assert np.abs(gradient).max() > 0, variable.name
    for _ in range(300):
        update()
    last, after = float(loss_of(model)), arrays(model)
    assert last < 0.1 * first
    assert update.experimental_get_tracing_count() == 1
    for variable in weights:
        name = variable.name.removesuffix(":0")
        assert (before[name] != after[name]).any(), name

    restored = network(function, kind=kind, seed=9)
    traced = tf.function(lambda: loss_of(restored))
    assert float(traced()) != pytest.approx(last, rel=0.1)
    Variables(restored.variables).assign(after)
    assert float(traced()) == pytest.approx(last, rel=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHM_CONFIGS)
def test_every_algorithm_takes_the_model_and_restores_its_policy(algorithm):
    def make(seed):
        config = load_config(
            {
                "seed": seed,
                "env": {"id": "CartPole-v1"},
                "sampling": {"num_envs": 4},
                "algorithm": {"name": algorithm} | ({"buffer_size": 100} if algorithm == "dqn" else {}),
                "network": {"torso": name_of(dense)},
                "training": {"total_steps": 100},
            },
            "test",
        )
        return make_agent(config, VECTORS)

    def values(agent):
        return agent.predict(np.eye(3, dtype=np.float32), seed=0, step=0, greedy=True).value

    agent, other = make(1), make(2)
    slots = [name for name in agent.learner.to_arrays() if name.endswith("mean_square/torso/0/kernel")]
    assert len(slots) == 1
    np.testing.assert_array_equal(values(agent), values(make(1)))
    assert (values(agent) != values(other)).any()
    other.policy.assign(agent.policy.to_arrays())
    np.testing.assert_array_equal(values(agent), values(other))


def test_the_arrays_of_another_model_are_refused():
    with pytest.raises(CheckpointError, match="torso/"):
        Variables(network(Subclassed).variables).assign(arrays(network(dense)))
