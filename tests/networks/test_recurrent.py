"""Recurrent cells: the equations and their gradients against NumPy in float64, and resets inside a rollout."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig, RecurrentConfig
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.cached_products import collecting_products, reusing_products
from paac_cli.networks.initializers import fan_in_uniform
from paac_cli.networks.recurrent import RecurrentCell, Sequences
from paac_cli.spec import EnvSpec, discrete_action

T, N, INPUTS, SIZE = 4, 3, 5, 6
SPEC = EnvSpec((INPUTS,), np.dtype(np.float32), discrete_action(("left", "right")), 30.0)

both = pytest.mark.parametrize("kind", ["gru", "lstm"])


def make(kind):
    cell = RecurrentCell(RecurrentConfig(cell=kind, size=SIZE), INPUTS, fan_in_uniform, np.random.default_rng(0))
    for weight in cell.variables:
        weight.assign(weight * 3.0)  # so that the gates leave the middle of their range
    return cell


def random_sequences(cell, seed=1):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(T * N, INPUTS)).astype(np.float32)
    episode_starts = np.zeros((T, N), np.bool_)
    episode_starts[2, 1] = episode_starts[3, 0] = episode_starts[0, 2] = (
        True  # that of the first step does not count: the state is given
    )
    return features, episode_starts, rng.normal(size=(N, cell.state_size)).astype(np.float32)


def weights_of(cell):
    return {weight.name.removeprefix("recurrent/").removesuffix(":0"): weight.numpy() for weight in cell.variables}


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def numpy_step(kind, weights, x, state):
    """One step of `N` environments in float64: outputs and states."""
    h = state[:, :SIZE]
    inputs, last = x @ weights["kernel"] + weights["bias"], h @ weights["recurrent_kernel"]
    if kind == "gru":
        last = last + weights["recurrent_bias"]
        (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(inputs, 3, axis=1), np.split(last, 3, axis=1)
        z = sigmoid(x_z + h_z)
        h = (1.0 - z) * np.tanh(x_n + sigmoid(x_r + h_r) * h_n) + z * h
        return h, h
    i, f, g, o = np.split(inputs + last, 4, axis=1)
    c = sigmoid(f) * state[:, SIZE:] + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return h, np.concatenate([h, c], axis=1)


def numpy_loss(kind, weights, features, episode_starts, state):
    """The sum of weighted outputs over all steps, in float64."""
    state, loss = state.astype(np.float64), 0.0
    features = features.astype(np.float64).reshape(T, N, INPUTS)
    for t in range(T):
        if t > 0:
            state = np.where(episode_starts[t][:, np.newaxis], 0.0, state)
        output, state = numpy_step(kind, weights, features[t], state)
        loss += np.sin(np.arange(SIZE) + t) @ output.sum(axis=0)
    return loss


def tensor_loss(cell, features, episode_starts, state):
    outputs = tf.reshape(cell.unroll(features, episode_starts, state), [T, N, SIZE])
    factors = np.sin(np.arange(SIZE)[np.newaxis] + np.arange(T)[:, np.newaxis])[:, np.newaxis]
    return tf.reduce_sum(outputs * factors.astype(np.float32))


@both
def test_one_step_is_that_of_the_equations(kind):
    cell = make(kind)
    features, _, state = random_sequences(cell)
    output, new_state = cell(features[:N], state)
    weights = {name: weight.astype(np.float64) for name, weight in weights_of(cell).items()}
    expected = numpy_step(kind, weights, features[:N].astype(np.float64), state.astype(np.float64))
    np.testing.assert_allclose(output, expected[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(new_state, expected[1], rtol=1e-4, atol=1e-6)


@both
def test_gradients_through_time_and_resets_equal_those_of_numpy_in_float64(kind):
    cell = make(kind)
    sequences = random_sequences(cell)
    with tf.GradientTape() as tape:
        loss = tensor_loss(cell, *sequences)
    weights = {name: weight.astype(np.float64) for name, weight in weights_of(cell).items()}
    assert float(loss) == pytest.approx(numpy_loss(kind, weights, *sequences), rel=1e-4)
    for weight, gradient in zip(cell.variables, tape.gradient(loss, cell.variables), strict=True):
        array = weights[weight.name.removeprefix("recurrent/").removesuffix(":0")]
        expected = np.empty_like(array)
        for index in np.ndindex(array.shape):
            value, losses = array[index], []
            for change in (1e-5, -1e-5):
                array[index] = value + change
                losses.append(numpy_loss(kind, weights, *sequences))
            array[index] = value
            expected[index] = (losses[0] - losses[1]) / 2e-5
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4, err_msg=weight.name)


@both
def test_no_gradient_flows_from_an_episode_into_the_one_before_it(kind):
    cell = make(kind)
    features, episode_starts, state = random_sequences(cell)
    features = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(features)
        last = cell.unroll(features, episode_starts, state)[(T - 1) * N :]
    gradient = tape.gradient(last, features).numpy().reshape(T, N, INPUTS)
    assert not gradient[:3, 0].any()  # an episode of environment 0 begins with step 3
    assert not gradient[:2, 1].any()
    assert gradient[2:, 1].any(axis=1).all()
    assert gradient[:, 2].any(axis=1).all()


@both
def test_unrolling_equals_stepping(kind):
    cell = make(kind)
    features, episode_starts, state = random_sequences(cell)
    expected, carried = [], state
    for t in range(T):
        if t > 0:
            carried = np.where(episode_starts[t][:, np.newaxis], 0.0, carried)
        output, carried = cell(features.reshape(T, N, -1)[t], carried)
        expected.append(output)
    np.testing.assert_allclose(
        cell.unroll(features, episode_starts, state), np.concatenate(expected), rtol=1e-5, atol=1e-6
    )


def test_rows_of_whole_environments_are_gathered_with_their_states():
    obs = np.arange(T * N, dtype=np.float32)[:, np.newaxis]
    episode_starts = np.arange(T * N).reshape(T, N) % 5 == 0
    state = np.arange(N, dtype=np.float32)[:, np.newaxis]
    rows = (np.arange(T, dtype=np.int32)[:, np.newaxis] * N + np.array([2, 0], np.int32)).ravel()
    found = Sequences(obs, episode_starts, state).gather(rows)
    np.testing.assert_array_equal(found.obs.numpy().reshape(T, 2), obs.reshape(T, N)[:, [2, 0]])
    np.testing.assert_array_equal(found.episode_starts, episode_starts[:, [2, 0]])
    np.testing.assert_array_equal(found.state, state[[2, 0]])


def test_at_first_an_lstm_remembers():
    cell = RecurrentCell(RecurrentConfig(cell="lstm", size=SIZE), INPUTS, fan_in_uniform, np.random.default_rng(0))
    gates = weights_of(cell)["bias"].reshape(4, SIZE)
    assert np.abs(gates[[0, 2, 3]]).max() < 0.5 < gates[1].min()


def network_and_sequences(network=ActorCritic, **recurrent):
    config = NetworkConfig(torso="mlp", hidden_sizes=(8,), recurrent=RecurrentConfig(size=SIZE, **recurrent))
    made = network(config, SPEC, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    obs = rng.normal(size=(T * N, INPUTS)).astype(np.float32)
    episode_starts = rng.random((T, N)) < 0.3
    return made, Sequences(obs, episode_starts, rng.normal(size=(N, made.state_size)).astype(np.float32))


@both
def test_an_update_that_reuses_the_products_of_acting_has_the_same_loss_and_gradients(kind):
    network, sequences = network_and_sequences(cell=kind)
    kept, state = [], sequences.state
    for t in range(T):
        if t > 0:
            state = np.where(sequences.episode_starts[t][:, np.newaxis], np.float32(0.0), state)
        with collecting_products() as products:
            _, _, state = network.step(sequences.obs.reshape(T, N, -1)[t], state)
        kept.append(products)

    def loss_and_gradients():
        with tf.GradientTape() as tape:
            parameters, value = network.unroll(sequences)
            loss = tf.reduce_sum(tf.square(parameters)) + tf.reduce_sum(tf.sin(value))
        return loss, tape.gradient(loss, network.trainable_variables)

    expected_loss, expected = loss_and_gradients()
    with reusing_products([tf.concat(parts, axis=0) for parts in zip(*kept, strict=True)]):
        loss, gradients = loss_and_gradients()
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    for found, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.float32])
@pytest.mark.parametrize("shape", [(5, 4, 4), (2, 2), (3,), ()])
def test_any_observations_can_be_gathered(shape, dtype):
    obs = np.random.default_rng(0).integers(0, 127, (6, *shape)).astype(dtype)
    rows = np.array([4, 0, 4, 2], np.int32)
    gathered = Sequences(tf.constant(obs), (), ()).gather(rows).obs
    assert gathered.dtype == dtype
    np.testing.assert_array_equal(gathered, obs[rows])


@pytest.mark.parametrize("shape", [(84, 84, 4), (2, 2)])
def test_bytes_are_gathered_by_an_operation_that_a_gpu_has(shape):
    """TensorFlow has no kernel for a GPU that gathers bytes."""
    specs = tf.TensorSpec((6, *shape), tf.uint8), tf.TensorSpec((4,), tf.int32)
    graph = tf.function(lambda obs, rows: Sequences(obs, (), ()).gather(rows).obs).get_concrete_function(*specs).graph
    gathered = [op.get_attr("Tparams") for op in graph.get_operations() if op.type == "GatherV2"]
    assert gathered == [tf.int32]
