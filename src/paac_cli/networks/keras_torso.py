"""A user-defined Keras model as a torso."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import tensorflow as tf

from paac_cli.config.trust import hidden_file
from paac_cli.errors import ConfigError
from paac_cli.text import describe_error


class KerasTorso(tf.Module):
    """The Keras 3 model that `module:function` builds: `inputs [B, *shape] float32 -> features [B, num_features]`.

    `function(shape)` returns a `keras.Model`. Outputs with more than two axes are flattened. The model always runs in
    inference mode, also when learning: without dropout, and batch normalisation keeps its initial moments.

    Keras numbers names over the whole process (`dense_1/kernel`, `variable_2`), so they cannot name arrays in a
    checkpoint. This module owns variables `<name>/<index in model.variables>/kernel` and runs the model with them.
    """

    def __init__(self, torso: str, shape: tuple[int, ...], rng: np.random.Generator, name: str, key: str) -> None:
        """torso: `module:function`. name: prefix of the variables' names. key: config key of `torso`, for errors.

        Raises ConfigError if `torso` cannot be imported or does not build a model for inputs of `shape`.
        """
        super().__init__()
        setting = f"{key} = {torso!r}"
        function = _import(torso, setting)
        try:
            # Always on the CPU, so that the initial weights do not depend on the device.
            with tf.device("CPU"), _seeded(int(rng.integers(2**31))):
                self._model, self.num_features = _build(function, shape)
        except Exception as error:  # user code may raise anything
            raise ConfigError(f"{setting} fails for inputs of shape {shape}: {describe_error(error)}") from error
        self._weights = [
            tf.Variable(v.numpy(), trainable=v.trainable, name=f"{name}/{index}/{re.sub(r'_[0-9]+$', '', v.name)}")
            for index, v in enumerate(self._model.variables)
        ]

    def __call__(self, inputs: tf.Tensor, input_scale: float = 1.0) -> tf.Tensor:
        with tf.keras.StatelessScope(zip(self._model.variables, self._weights, strict=True)):
            outputs = self._model(tf.cast(inputs, tf.float32) * input_scale, training=False)
        return tf.reshape(tf.cast(outputs, tf.float32), [-1, self.num_features])


def _import(torso: str, setting: str) -> Callable[[tuple[int, ...]], Any]:
    """The function that `torso` names. Raises ConfigError, which begins with `setting`."""
    module, _, name = torso.partition(":")
    try:
        function = getattr(import_module(module), name)
    except Exception as error:  # a user's module may raise anything when it is imported
        raise ConfigError(f"{setting} cannot be imported: {describe_error(error)}{hidden_file(module)}") from error
    if not callable(function):
        raise ConfigError(f"{setting} is not a function: {function!r}")
    found: Callable[[tuple[int, ...]], Any] = function
    return found


def _build(function: Callable[[tuple[int, ...]], Any], shape: tuple[int, ...]) -> tuple[Any, int]:
    """The model and its number of features.

    Raises TypeError or ValueError if `function` does not return a model with one output [B, ...] that owns all weights
    that it uses, and whatever `function` raises.
    """
    model = function(shape)
    if not isinstance(model, tf.keras.Model):
        raise TypeError(f"it returned {type(model).__name__}, not a keras.Model")
    with tf.GradientTape() as tape:
        outputs = model(tf.zeros((2, *shape)), training=False)
    if not tf.is_tensor(outputs):
        raise TypeError(f"the model returned {type(outputs).__name__}, not one tensor")
    if outputs.shape.rank < 2 or outputs.shape[0] != 2:
        raise ValueError(f"the model maps 2 inputs to shape {tuple(outputs.shape)}, not to features [2, F]")
    own = {id(variable.value) for variable in model.variables}
    if others := [variable.name for variable in tape.watched_variables() if id(variable) not in own]:
        raise ValueError(
            f"the model uses weights that Keras does not count as its own ({', '.join(others)}), so they would be "
            "neither trained nor saved; make them with self.add_weight, and keep layers as attributes of the model"
        )
    return model, int(np.prod(outputs.shape[1:]))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed all generators that Keras uses within the block; restore those of Python and NumPy afterwards.

    The generators of TensorFlow and Keras are not restored, because nothing in this project uses them.
    """
    python, numpy = random.getstate(), np.random.get_state()
    tf.keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
