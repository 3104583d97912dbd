"""Compiles the functions of an algorithm to TensorFlow graphs."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from paac_cli.config.schema import RunConfig


def graph_function(function: Callable[..., Any], config: RunConfig) -> Callable[..., Any]:
    """`function` as a `tf.function`; with `training.jit_compile`, compiled by XLA.

    AutoGraph is off, because rewriting source code takes most of the tracing time. Therefore an `if` or `for` in
    `function` is executed while it is traced, and cannot depend on a tensor.
    """
    graph: Callable[..., Any] = tf.function(function, autograph=False, jit_compile=config.training.jit_compile or None)
    return graph
