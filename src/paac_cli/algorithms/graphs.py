"""How an algorithm's functions become graphs."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from paac_cli.config.schema import RunConfig


def compiled(function: Callable[..., Any], config: RunConfig) -> Callable[..., Any]:
    """A `tf.function`; compiled by XLA where the config says so."""
    graph: Callable[..., Any] = tf.function(function, jit_compile=config.training.jit_compile or None)
    return graph
