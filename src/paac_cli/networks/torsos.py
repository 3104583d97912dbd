"""From observations to features.

A torso is a list of layers; a layer is a kernel, a bias and what is done with them. Variables are
named `torso/0/kernel` and so on: the names under which a checkpoint holds them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.initializers import Initializer
from paac_cli.networks.normalizer import ObsNormalizer


class Conv(NamedTuple):
    """Convolution, VALID padding, then ReLU."""

    filters: int
    size: int
    stride: int


class Dense(NamedTuple):
    """Matrix product, then the activation named."""

    units: int
    activation: str = "relu"


#: arch_nips of the paper: the network of Mnih et al. 2013.
NIPS = (Conv(16, 8, 4), Conv(32, 4, 2), Dense(256))
#: arch_nature of the paper: the network of Mnih et al. 2015.
NATURE = (Conv(32, 8, 4), Conv(64, 4, 2), Conv(64, 3, 1), Dense(512))

_GAIN = {"relu": np.sqrt(2.0), "tanh": np.sqrt(2.0), "linear": 1.0}
_ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh, "linear": tf.identity}


class Linear(tf.Module):
    """`inputs [B, I] -> [B, units]`, with an activation."""

    def __init__(
        self,
        inputs: int,
        layer: Dense,
        initializer: Initializer,
        rng: np.random.Generator,
        name: str,
        gain: float | None = None,
    ) -> None:
        super().__init__()
        kernel, bias = initializer((inputs, layer.units), _GAIN[layer.activation] if gain is None else gain, rng)
        self._kernel = tf.Variable(kernel, name=f"{name}/kernel")
        self._bias = tf.Variable(bias, name=f"{name}/bias")
        self._activation = _ACTIVATIONS[layer.activation]

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return self._activation(tf.nn.bias_add(tf.matmul(inputs, self._kernel), self._bias))


class Convolution(tf.Module):
    """`inputs [B, H, W, C] -> [B, H', W', filters]`, with ReLU."""

    def __init__(
        self, channels: int, layer: Conv, initializer: Initializer, rng: np.random.Generator, name: str
    ) -> None:
        super().__init__()
        kernel, bias = initializer((layer.size, layer.size, channels, layer.filters), _GAIN["relu"], rng)
        self._kernel = tf.Variable(kernel, name=f"{name}/kernel")
        self._bias = tf.Variable(bias, name=f"{name}/bias")
        self._stride = layer.stride

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        outputs = tf.nn.conv2d(inputs, self._kernel, strides=self._stride, padding="VALID")
        return tf.nn.relu(tf.nn.bias_add(outputs, self._bias))


class Torso(tf.Module):
    """The layers that `config` names, for observations of `obs_shape`.

    Raises ConfigError where the observations do not fit the torso.
    """

    def __init__(
        self, config: NetworkConfig, obs_shape: tuple[int, ...], initializer: Initializer, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self._normalizer = ObsNormalizer(obs_shape) if config.normalize_obs else None
        layers = {"nips": NIPS, "nature": NATURE}.get(config.torso) or [
            Dense(units, "tanh") for units in config.hidden_sizes
        ]
        self._layers, self.num_features = _build(layers, obs_shape, initializer, rng, config.torso)

    def __call__(self, obs: tf.Tensor) -> tf.Tensor:
        """obs: [B, ...] of any numeric dtype; bytes are scaled to [0, 1]. Returns [B, F] float32."""
        if self._normalizer is not None:
            features = self._normalizer(obs, _unit(obs))
        else:
            features = tf.cast(obs, tf.float32)
            if _unit(obs) != 1.0:
                features *= _unit(obs)
        for layer in self._layers:
            features = layer(_flat(features) if isinstance(layer, Linear) else features)
        return features

    def observe(self, obs: tf.Tensor) -> None:
        """Take `obs` [B, ...] into the running statistics, if the torso has any."""
        if self._normalizer is not None:
            self._normalizer.update(tf.cast(obs, tf.float32) * _unit(obs))


def _unit(obs: tf.Tensor) -> float:
    """What one step of an observation's scale counts: bytes become [0, 1]."""
    return 1.0 / 255.0 if obs.dtype == tf.uint8 else 1.0


def _flat(tensor: tf.Tensor) -> tf.Tensor:
    """[B, ...] -> [B, product of the rest], with the static shape kept."""
    return tf.reshape(tensor, [-1, int(np.prod(tensor.shape[1:]))])


def _build(
    layers: Sequence[Conv | Dense],
    shape: tuple[int, ...],
    initializer: Initializer,
    rng: np.random.Generator,
    torso: str,
) -> tuple[list[tf.Module], int]:
    built: list[tf.Module] = []
    for index, layer in enumerate(layers):
        name = f"torso/{index}"
        if isinstance(layer, Dense):
            built.append(Linear(int(np.prod(shape)), layer, initializer, rng, name))
            shape = (layer.units,)
            continue
        if len(shape) != 3 or min(shape[:2]) < layer.size:
            raise ConfigError(
                f"network.torso = {torso!r} is for larger images: "
                f"its layer {index} would see {shape} of observations; mlp takes any"
            )
        built.append(Convolution(shape[2], layer, initializer, rng, name))
        shape = (*((side - layer.size) // layer.stride + 1 for side in shape[:2]), layer.filters)
    return built, int(np.prod(shape))
