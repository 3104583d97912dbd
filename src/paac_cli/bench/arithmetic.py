"""The arithmetic that a learner cannot avoid: its convolutions and matrix products, and how fast the machine is at it.

One multiplication and one addition count as two floating-point operations (FLOP).
"""

import math
import time
from collections.abc import Iterable, Iterator

import tensorflow as tf

from paac_cli.learning.graphs import GraphFunction

_SIZE = 1024  # of the matrices whose product is timed: rows and columns
_REPETITIONS, _PRODUCTS = 5, 8  # timings, of which the fastest counts, and products in each


def flop_so_far(functions: Iterable[GraphFunction]) -> int:
    """FLOP of the products and convolutions in all calls of `functions` so far."""
    return sum(calls * _flop(graph) for function in functions for graph, calls in function.calls())


def matrix_flop_per_second(dtype: tf.DType) -> float:
    """FLOP per second of a product of two large matrices in `dtype`, on the device and all cores of TensorFlow."""
    matrix = tf.ones((_SIZE, _SIZE), dtype)

    def seconds() -> float:
        start = time.perf_counter()
        for _ in range(_PRODUCTS):
            product = tf.matmul(matrix, matrix)
        product[0, 0].numpy()  # waits for the device
        return time.perf_counter() - start

    seconds()  # the first call is slower
    return 2 * _SIZE**3 * _PRODUCTS / min(seconds() for _ in range(_REPETITIONS))


def _flop(graph: tf.types.experimental.ConcreteFunction) -> int:
    return sum(_flop_of(operation) for operation in _executed(graph))


def _executed(graph: tf.types.experimental.ConcreteFunction) -> Iterator[tf.Operation]:
    """The operations of `graph` on which a result or a variable depends; TensorFlow prunes the others."""
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.graph.control_outputs)
    seen = set()
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen.add(operation.name)
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
            yield operation


def _flop_of(operation: tf.Operation) -> int:
    """FLOP of one operation; 0 unless it is a product or a convolution."""
    shapes = [tensor.shape for tensor in operation.inputs]
    match operation.type:
        case "MatMul":
            inner = shapes[0][0 if operation.get_attr("transpose_a") else 1]
            return int(2 * inner * math.prod(operation.outputs[0].shape))
        case "Conv2D":
            kernel, result = shapes[1], operation.outputs[0].shape
        case "Conv2DBackpropFilter":
            kernel, result = operation.outputs[0].shape, shapes[2]
        case "Conv2DBackpropInput":
            kernel, result = shapes[1], shapes[2]
        case _:
            return 0
    return int(2 * math.prod(kernel[:3]) * math.prod(result))  # kernel: [height, width, channels, filters]
