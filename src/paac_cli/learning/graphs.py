"""How an algorithm's functions become TensorFlow graphs."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from paac_cli.config.schema import RunConfig


def graph_function(function: Callable[..., Any], config: RunConfig) -> Callable[..., Any]:
    """`function` as a `tf.function`, compiled by XLA where `training.jit_compile` is set.

    AutoGraph is off because its rewriting of source code takes most of the tracing time. So Python's `if`
    and `for` run while the function is traced and cannot depend on tensors.
    """
    graph: Callable[..., Any] = tf.function(function, autograph=False, jit_compile=config.training.jit_compile or None)
    return graph
