"""How an algorithm's functions become graphs."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from paac_cli.config.schema import RunConfig


def compiled(function: Callable[..., Any], config: RunConfig) -> Callable[..., Any]:
    """A `tf.function`; compiled by XLA where the config says so.

    Python's `if` and `for` run while it is traced, and cannot ask tensors: rewriting our sources so that they
    could would be most of the time that tracing takes.
    """
    jit = config.training.jit_compile or None
    graph: Callable[..., Any] = tf.function(function, autograph=False, jit_compile=jit)
    return graph
