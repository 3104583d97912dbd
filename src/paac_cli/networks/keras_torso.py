"""A user's own Keras model as a torso."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import tensorflow as tf

from paac_cli.errors import ConfigError


class KerasTorso(tf.Module):
    """The Keras 3 model that `module:function` makes: `inputs [B, *shape] float32 -> features [B, num_features]`.

    `function(shape)` returns a `keras.Model`; what it gives of more than two axes is flattened. It runs as in
    inference, in acting and learning alike: no dropout, and the moments of batch normalisation stay 0 and 1.

    Keras numbers names over the whole process (`dense_1/kernel`, `variable_2`), so the variables here are ours,
    which take the places of the model's: `torso/0/kernel`, counted over `model.variables`.
    """

    def __init__(self, torso: str, shape: tuple[int, ...], rng: np.random.Generator, name: str, key: str) -> None:
        """key: of the config, for errors. Raises ConfigError where `torso` makes no model for inputs of `shape`."""
        super().__init__()
        told = f"{key} = {torso!r}"
        function = _find(torso, told)
        try:
            # On the CPU, so that the weights do not depend on the device.
            with tf.device("CPU"), _seed(int(rng.integers(2**31))):
                self._model, self.num_features = _make(function, shape)
        except Exception as error:  # whatever their code thinks of the shape
            raise ConfigError(
                f"{told} makes no torso for inputs of shape {shape}: {type(error).__name__}: {error}"
            ) from error
        self._weights = [
            tf.Variable(v.numpy(), trainable=v.trainable, name=f"{name}/{index}/{re.sub(r'_[0-9]+$', '', v.name)}")
            for index, v in enumerate(self._model.variables)
        ]

    def __call__(self, inputs: tf.Tensor, unit: float = 1.0) -> tf.Tensor:
        with tf.keras.StatelessScope(zip(self._model.variables, self._weights, strict=True)):
            outputs = self._model(tf.cast(inputs, tf.float32) * unit, training=False)
        return tf.reshape(tf.cast(outputs, tf.float32), [-1, self.num_features])


def _find(torso: str, told: str) -> Callable[[tuple[int, ...]], Any]:
    module, _, name = torso.partition(":")
    try:
        function = getattr(import_module(module), name)
    except Exception as error:  # whatever their module does when it is imported
        raise ConfigError(f"{told} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(function):
        raise ConfigError(f"{told} is no function, but {function!r}")
    found: Callable[[tuple[int, ...]], Any] = function
    return found


def _make(function: Callable[[tuple[int, ...]], Any], shape: tuple[int, ...]) -> tuple[Any, int]:
    """The model, and how many features it gives. Raises what `function` and its model raise, TypeError, ValueError."""
    model = function(shape)
    if not isinstance(model, tf.keras.Model):
        raise TypeError(f"it returns {type(model).__name__}, no keras.Model")
    outputs = model(tf.zeros((2, *shape)), training=False)
    if not tf.is_tensor(outputs):
        raise TypeError(f"the model gives {type(outputs).__name__}, not one tensor")
    if outputs.shape.rank < 2 or outputs.shape[0] != 2:
        raise ValueError(f"the model makes {tuple(outputs.shape)} of 2 inputs, not features [2, F]")
    return model, int(np.prod(outputs.shape[1:]))


@contextmanager
def _seed(seed: int) -> Iterator[None]:
    """What Keras draws follows from `seed`; afterwards Python and NumPy draw as if nothing had been.

    TensorFlow's and Keras's own seeds stay: nothing here draws by them.
    """
    python, numpy = random.getstate(), np.random.get_state()
    tf.keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
