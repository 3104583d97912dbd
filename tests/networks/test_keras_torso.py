"""A user's own Keras model as a torso: drawn from the seed, trained, saved, and refused in words."""

import random
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from paac_cli.algorithms.agent import ALGORITHMS, make_agent
from paac_cli.config.optimizers import AdamConfig
from paac_cli.config.load import load_config
from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import CheckpointError, ConfigError
from paac_cli.learning.optimizers import make_optimizer
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.initializers import orthogonal
from paac_cli.networks.q_network import QNetwork
from paac_cli.networks.torsos import Torso
from paac_cli.spec import EnvSpec, discrete_action

IMAGES = EnvSpec((6, 6, 3), np.dtype(np.uint8), discrete_action(("",) * 3), 60.0)
VECTORS = EnvSpec((3,), np.dtype(np.float32), discrete_action(("",) * 3), 60.0)

# --- what a user may write


def dense(obs_shape):
    """With all that has state of its own."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(obs_shape),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(8, activation="tanh"),
        ]
    )


def feature_maps(obs_shape):
    """Functional; not flattened."""
    inputs = keras.Input(obs_shape)
    return keras.Model(inputs, keras.layers.Conv2D(5, 3, activation="relu")(inputs))


class Subclassed(keras.Model):
    """Built when it is first called; draws by Keras's global generator as well."""

    def __init__(self, obs_shape):
        super().__init__()
        self.flat = keras.layers.Flatten()
        self.hidden = keras.layers.Dense(7)
        self.offset = self.add_weight(shape=(7,), initializer=lambda shape, dtype: keras.random.normal(shape))

    def call(self, inputs):
        return self.hidden(self.flat(inputs)) + self.offset


def as_it_is(obs_shape):
    return keras.Sequential([keras.Input(obs_shape), keras.layers.Flatten()])


def frozen(obs_shape):
    model = dense(obs_shape)
    model.layers[1].trainable = False
    return model


not_callable = 3


def nothing(obs_shape):
    pass


def only_a_layer(obs_shape):
    return keras.layers.Dense(3)


def two_outputs(obs_shape):
    inputs = keras.Input(obs_shape)
    return keras.Model(inputs, [inputs, inputs])


def one_number(obs_shape):
    inputs = keras.Input(obs_shape)
    return keras.Model(inputs, keras.ops.mean(inputs, axis=tuple(range(1, 1 + len(obs_shape)))))


def one_batch(obs_shape):
    inputs = keras.Input(obs_shape)
    return keras.Model(inputs, keras.ops.sum(inputs, axis=0, keepdims=True))


def another_shape(obs_shape):
    return keras.Sequential([keras.Input((2, 2)), keras.layers.Flatten()])


def failing(obs_shape):
    raise RuntimeError("no such thing")


def place(function):
    return f"{__name__}:{function.__name__}"


def network(function, spec=VECTORS, seed=0, kind=ActorCritic, **options):
    return kind(NetworkConfig(torso=place(function), **options), spec, np.random.default_rng(seed))


def arrays(model):
    return Variables(model.variables).to_arrays()


# --- variables


def test_the_variables_are_found_under_names_that_do_not_depend_on_what_was_made_before():
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


def test_what_is_frozen_is_not_trained():
    names = {variable.name.removesuffix(":0") for variable in network(frozen).trainable_variables}
    assert "torso/0/kernel" not in names
    assert "torso/7/kernel" in names


@pytest.mark.parametrize("function", [dense, Subclassed])
def test_the_weights_follow_from_the_seed(function):
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


def test_making_one_disturbs_no_other_draws():
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


# --- what it sees and gives


def test_it_sees_bytes_from_0_to_1_and_floats_as_they_are():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (4, 6, 6, 3)).astype(np.uint8)
    torso = Torso(NetworkConfig(torso=place(as_it_is)), IMAGES, orthogonal, rng)
    assert torso.num_features == 108
    np.testing.assert_allclose(torso(tf.constant(image)), image.reshape(4, 108) / 255, rtol=1e-6)
    vector = rng.normal(5.0, 3.0, (4, 3)).astype(np.float32)
    torso = Torso(NetworkConfig(torso=place(as_it_is)), VECTORS, orthogonal, rng)
    np.testing.assert_array_equal(torso(tf.constant(vector)), vector)


def test_it_sees_normalised_observations():
    vector = np.random.default_rng(0).normal(5.0, 3.0, (100, 3)).astype(np.float32)
    config = NetworkConfig(torso=place(as_it_is), normalize_obs=True)
    torso = Torso(config, VECTORS, orthogonal, np.random.default_rng(0))
    torso.observe(tf.constant(vector))
    expected = (vector - vector.mean(axis=0)) / vector.std(axis=0)
    np.testing.assert_allclose(torso(tf.constant(vector)), expected, atol=1e-4)


def test_maps_of_features_are_flattened():
    torso = Torso(NetworkConfig(torso=place(feature_maps)), IMAGES, orthogonal, np.random.default_rng(0))
    obs = tf.constant(np.random.default_rng(0).integers(0, 255, (2, 6, 6, 3)), tf.uint8)
    kernel, bias = (variable for variable in torso.variables)
    expected = tf.nn.relu(tf.nn.conv2d(tf.cast(obs, tf.float32) / 255, kernel, 1, "VALID") + bias)
    assert torso.num_features == 4 * 4 * 5
    np.testing.assert_allclose(torso(obs), tf.reshape(expected, (2, 80)), rtol=1e-4, atol=1e-5)


def test_it_runs_as_in_inference():
    model = network(dense)
    obs = tf.constant(np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32))
    before = arrays(model)
    np.testing.assert_array_equal(model(obs)[0], model(obs)[0])  # dropout would differ
    np.testing.assert_allclose(model(obs)[0][:1], model(obs[:1])[0], atol=1e-6)  # batch statistics would, too
    for name, array in arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


# --- learning


@pytest.mark.parametrize("kind", [ActorCritic, QNetwork])
@pytest.mark.parametrize("function", [dense, Subclassed])
def test_the_gradient_reaches_it_the_loss_falls_and_what_was_learned_is_saved(kind, function):
    rng = np.random.default_rng(0)
    obs = tf.constant(rng.normal(size=(64, 3)).astype(np.float32))
    target = tf.reduce_sum(obs, axis=1)
    model = network(function, kind=kind)
    # The policy head learns nothing from a value.
    weights = [variable for variable in model.trainable_variables if not variable.name.startswith("policy")]
    optimizer = make_optimizer(AdamConfig(), weights)

    def loss_of(some):
        value = some.values(obs) if kind is ActorCritic else some(obs)[:, 0]
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


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_takes_it_and_its_state_gives_another_the_same_policy(algorithm):
    def make(seed):
        config = load_config(
            {
                "seed": seed,
                "env": {"id": "CartPole-v1"},
                "sampling": {"num_envs": 4},
                "algorithm": {"name": algorithm} | ({"buffer_size": 100} if algorithm == "dqn" else {}),
                "network": {"torso": place(dense)},
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


def test_the_state_of_another_model_is_refused():
    with pytest.raises(CheckpointError, match="torso/"):
        Variables(network(Subclassed).variables).assign(arrays(network(dense)))


# --- refusals


@pytest.mark.parametrize(
    ("torso", "said"),
    [
        ("no_such_module:make", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        (f"{__name__}:no_such_function", "cannot be imported: AttributeError"),
        (f"{__name__}:not_callable", "is no function, but 3"),
        (place(nothing), r"for inputs of shape \(3,\): TypeError: it returns NoneType, no keras.Model"),
        (place(only_a_layer), r"for inputs of shape \(3,\): TypeError: it returns Dense, no keras.Model"),
        (place(two_outputs), r"for inputs of shape \(3,\): TypeError: the model gives list, not one tensor"),
        (place(one_number), r"for inputs of shape \(3,\): ValueError: the model makes \(2,\) of 2 inputs"),
        (place(one_batch), r"for inputs of shape \(3,\): ValueError: the model makes \(1, 3\) of 2 inputs"),
        (place(another_shape), r"makes no torso for inputs of shape \(3,\): ValueError"),
        (place(feature_maps), r"makes no torso for inputs of shape \(3,\): ValueError"),
        (place(failing), r"makes no torso for inputs of shape \(3,\): RuntimeError: no such thing"),
    ],
)
@pytest.mark.parametrize("kind", [ActorCritic, QNetwork])
def test_what_makes_no_torso_is_refused_with_the_reason(torso, said, kind):
    with pytest.raises(ConfigError, match=f"^network.torso = '{torso}' .*{said}"):
        kind(NetworkConfig(torso=torso), VECTORS, np.random.default_rng(0))


def test_a_module_that_fails_when_it_is_imported_is_refused(tmp_path, monkeypatch):
    (tmp_path / "broken_models.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="cannot be imported: ZeroDivisionError: division by zero"):
        ActorCritic(NetworkConfig(torso="broken_models:make"), VECTORS, np.random.default_rng(0))
    assert "broken_models" not in sys.modules
