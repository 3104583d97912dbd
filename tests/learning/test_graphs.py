"""Functions as graphs that are called with little overhead."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.learning.graphs import GraphFunction, call_if


class Pair(NamedTuple):
    first: tf.Tensor
    second: list[tf.Tensor]


@pytest.mark.parametrize("parallel", [False, True])
def test_arguments_and_results_keep_their_structure(parallel):
    def function(pair: Pair, factors: dict[str, tf.Tensor]) -> tuple[Pair, dict[str, tf.Tensor], None]:
        z, a = pair.first * factors["z"], pair.second[0] + factors["a"]
        return Pair(z, [a, z]), {"z": z, "a": a}, None

    graph = GraphFunction(function, has_parallel_parts=parallel)
    pair = Pair(np.float32([1, 2]), [np.float32([10, 20])])
    for _ in range(2):
        result, by_name, nothing = graph(pair, {"z": tf.constant(3.0), "a": tf.constant(5.0)})
        assert isinstance(result, Pair)
        assert nothing is None
        assert list(by_name) == ["z", "a"]
        assert by_name["z"].numpy().tolist() == result.first.numpy().tolist() == [3, 6]
        assert by_name["a"].numpy().tolist() == result.second[0].numpy().tolist() == [15, 25]
        assert result.second[1].numpy().tolist() == [3, 6]


def test_it_is_traced_once_for_each_shape_and_dtype():
    traces = []

    def double(x: tf.Tensor) -> tf.Tensor:
        traces.append((x.shape, x.dtype))
        return x + x

    graph = GraphFunction(double)
    for x in (np.zeros(2, np.float32), tf.zeros(2), np.zeros(3, np.float32), np.zeros(2, np.int64), tf.zeros(3)):
        assert graph(x).shape == x.shape
    assert traces == [([2], tf.float32), ([3], tf.float32), ([2], tf.int64)]
    assert [calls for _, calls in graph.calls()] == [2, 2, 1]


@pytest.mark.parametrize("parallel", [False, True])
def test_variables_are_updated_in_order(parallel):
    variable = tf.Variable(1.0)

    def update(x: tf.Tensor) -> tf.Tensor:
        variable.assign(variable * 2.0)
        before = tf.identity(variable)
        variable.assign_add(x)
        return before

    graph = GraphFunction(update, has_parallel_parts=parallel)
    assert [float(graph(tf.constant(3.0))) for _ in range(3)] == [2.0, 10.0, 26.0]
    assert float(variable) == 29.0


def test_a_call_in_another_graph_becomes_a_part_of_it():
    variable = tf.Variable(0)

    def increment() -> None:
        variable.assign_add(1)

    inner = GraphFunction(increment)
    outer = GraphFunction(lambda: inner())
    assert outer() is None
    assert int(variable) == 1
    assert inner.calls() == []


def test_a_function_is_called_only_if_a_condition_is_true():
    variable = tf.Variable([0.0, 0.0])

    def function(condition: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        def add() -> None:
            variable.assign_add(2.0 * x)

        call_if(condition, add)
        return tf.identity(variable)

    for graph in (
        GraphFunction(function),
        GraphFunction(function, has_parallel_parts=True),
        GraphFunction(function, jit_compile=True),
        tf.function(function),
    ):
        variable.assign([0.0, 0.0])
        assert graph(tf.constant(False), tf.constant([1.0, 2.0])).numpy().tolist() == [0, 0]
        assert graph(tf.constant(True), tf.constant([1.0, 2.0])).numpy().tolist() == [2, 4]


def test_parallel_parts_give_the_same_bits(monkeypatch):
    monkeypatch.setattr("paac_cli.learning.graphs.available_cores", lambda: 2)
    rng = np.random.default_rng(0)
    weights = [tf.Variable(rng.standard_normal((256, 256)), dtype=tf.float32) for _ in range(4)]

    def update(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_mean(tf.nn.relu(x @ weight) @ weight) for weight in weights])
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(gradient)
        return loss

    first = [weight.numpy() for weight in weights]
    inputs = rng.standard_normal((5, 256, 256)).astype(np.float32)
    results = []
    for parallel in (False, True):
        graph = GraphFunction(update, has_parallel_parts=parallel)
        for weight, value in zip(weights, first, strict=True):
            weight.assign(value)
        results.append([*[graph(x).numpy() for x in inputs], *[weight.numpy() for weight in weights]])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sums_of_large_tensors_are_added_in_the_same_order_with_parallel_parts(monkeypatch):
    """TensorFlow would save memory by adding them to one variable, in an order that depends on timing."""
    monkeypatch.setattr("paac_cli.learning.graphs.available_cores", lambda: 2)
    x = tf.constant(np.random.default_rng(0).standard_normal(20_000_000).astype(np.float32))

    def add(x: tf.Tensor) -> tf.Tensor:
        return tf.add_n([1e3 * tf.sin(x), 3.0 * tf.cos(x), 1e-2 * tf.tanh(x), tf.exp(-x)])

    graph = GraphFunction(add, has_parallel_parts=True)
    expected = GraphFunction(add)(x).numpy()
    for _ in range(3):
        assert np.array_equal(graph(x).numpy(), expected)


@pytest.mark.parametrize("nested", [False, True])
def test_loops_and_branches_are_executed(nested):
    def function(x: tf.Tensor) -> tf.Tensor:
        doubled = tf.while_loop(lambda y: tf.reduce_sum(y) < 100.0, lambda y: (2.0 * y,), (x,))[0]
        return tf.cond(tf.reduce_sum(x) > 2.0, lambda: doubled, lambda: -doubled)

    graph = GraphFunction(tf.function(function, autograph=False) if nested else function)
    assert graph(tf.constant([1.0, 2.0])).numpy().tolist() == [64, 128]
    assert graph(tf.constant([1.0, 0.0])).numpy().tolist() == [-128, 0]


def test_a_recurrent_model_in_keras_is_executed():
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential([tf.keras.Input((5, 3)), tf.keras.layers.LSTM(4)])
    x = tf.random.normal((2, 5, 3))
    np.testing.assert_allclose(GraphFunction(lambda x: model(x))(x), model(x), rtol=1e-5)


def test_xla_compiles_to_the_same_result():
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    results = [GraphFunction(lambda x: tf.tanh(x) @ tf.transpose(x), jit_compile=jit)(x) for jit in (False, True)]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)
