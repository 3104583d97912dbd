"""The layers of torsos and heads: their specs (`ConvSpec`, `ResidualSpec`, `DenseSpec`), and modules with variables.

A variable is named after its position in the network, e.g. `torso/0/kernel`; checkpoints use these names.
Layers compute `f(input_scale * inputs)`. They multiply the kernel by `input_scale`, because it is smaller than a batch
of images. The first layer scales bytes in this way.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from paac_cli.networks.cached_products import cached_product
from paac_cli.networks.expected_shapes import check_shape
from paac_cli.networks.initializers import Initializer


class ConvSpec(NamedTuple):
    """A convolution and its activation."""

    filters: int
    size: int  #: of the square kernel
    stride: int
    padding: str = "VALID"
    activation: str = "relu"


class ResidualSpec(NamedTuple):
    """A convolution, max-pooling to half of each side, two residual blocks and an activation: `ResidualSection`."""

    filters: int
    activation: str = "linear"


class DenseSpec(NamedTuple):
    """A fully connected layer and its activation."""

    units: int
    activation: str = "relu"


_GAINS = {"relu": np.sqrt(2.0), "tanh": np.sqrt(2.0), "linear": 1.0}
_ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh, "linear": tf.identity}


class LayerNorm(tf.Module):
    """`scale * (x - mean) / sqrt(variance + 1e-6) + shift`, with the moments of the last axis (Ba et al. 2016).

    After a convolution these are the moments over the channels of each pixel, not over the image, as in the authors'
    code of PQN (flax's LayerNorm in mttga/purejaxql, pqn_atari.py; Gallici et al. 2024, arXiv 2407.04811).
    """

    def __init__(self, size: int, name: str) -> None:
        super().__init__()
        self._scale = tf.Variable(tf.ones(size), name=f"{name}/scale")
        self._shift = tf.Variable(tf.zeros(size), name=f"{name}/shift")

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """inputs: [..., size]. Returns the same shape and dtype; computed in float32."""
        x = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return tf.cast((x - mean) * tf.math.rsqrt(variance + 1e-6) * self._scale + self._shift, inputs.dtype)


class Weights(tf.Module):
    """Kernel and bias of a layer. The variables are float32."""

    def __init__(
        self, shape: tuple[int, ...], gain: float, initializer: Initializer, rng: np.random.Generator, name: str
    ) -> None:
        """shape: of the kernel; its last axis is that of the bias. Raises CheckpointError as `check_shape` does."""
        super().__init__()
        check_shape(f"{name}/kernel", shape)
        kernel, bias = initializer(shape, gain, rng)
        self._kernel = tf.Variable(kernel, name=f"{name}/kernel")
        self._bias = tf.Variable(bias, name=f"{name}/bias")

    def __call__(self, dtype: tf.DType, input_scale: float) -> tuple[tf.Tensor, tf.Tensor]:
        """Kernel, multiplied by `input_scale`, and bias; both in `dtype`."""
        kernel = tf.convert_to_tensor(self._kernel) if input_scale == 1.0 else self._kernel * input_scale
        return tf.cast(kernel, dtype), tf.cast(self._bias, dtype)


class DenseLayer(tf.Module):
    """`inputs [B, I] -> [B, units]`: matrix product, bias, optional LayerNorm, activation.

    Computed in the dtype of the inputs.
    """

    def __init__(
        self,
        inputs: int,
        spec: DenseSpec,
        initializer: Initializer,
        rng: np.random.Generator,
        name: str,
        gain: float | None = None,
        *,
        layer_norm: bool = False,
    ) -> None:
        """inputs: their number. gain: of the initial kernel; by default sqrt(2) for relu and tanh, 1 for linear."""
        super().__init__()
        gain = _GAINS[spec.activation] if gain is None else gain
        self._weights = Weights((inputs, spec.units), gain, initializer, rng, name)
        self._norm = LayerNorm(spec.units, name) if layer_norm else tf.identity
        self._activation = _ACTIVATIONS[spec.activation]

    def __call__(self, inputs: tf.Tensor, input_scale: float = 1.0) -> tf.Tensor:
        kernel, bias = self._weights(inputs.dtype, input_scale)
        return self._activation(self._norm(cached_product(biased_product, inputs, kernel, bias)))


def biased_product(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """`inputs @ kernel + bias` [B, M]. inputs: [B, N]; kernel: [N, M]; bias: [M]."""
    return tf.nn.bias_add(tf.matmul(inputs, kernel), bias)


class ConvLayer(tf.Module):
    """`inputs [B, H, W, C] -> [B, H', W', filters]`: convolution, bias, optional LayerNorm, activation.

    Computed in the dtype of the inputs.
    """

    def __init__(
        self,
        channels: int,
        spec: ConvSpec,
        initializer: Initializer,
        rng: np.random.Generator,
        name: str,
        *,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        shape = (spec.size, spec.size, channels, spec.filters)
        self._weights = Weights(shape, _GAINS[spec.activation], initializer, rng, name)
        self._norm = LayerNorm(spec.filters, name) if layer_norm else tf.identity
        self._activation = _ACTIVATIONS[spec.activation]
        self._stride, self._padding = spec.stride, spec.padding

    def __call__(self, inputs: tf.Tensor, input_scale: float = 1.0) -> tf.Tensor:
        kernel, bias = self._weights(inputs.dtype, input_scale)
        return self._activation(self._norm(cached_product(self._product, inputs, kernel, bias)))

    def _product(self, inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        outputs = tf.nn.conv2d(inputs, kernel, strides=self._stride, padding=self._padding)
        return tf.nn.bias_add(outputs, bias)


class ResidualSection(tf.Module):
    """`inputs [B, H, W, C] -> [B, ceil(H / 2), ceil(W / 2), filters]` (Espeholt et al. 2018, arXiv 1802.01561, fig. 3).

    Convolution 3x3, max-pooling 3x3 with stride 2, then two blocks `x + conv(relu(conv(relu(x))))`; padding SAME.
    """

    def __init__(
        self,
        channels: int,
        spec: ResidualSpec,
        initializer: Initializer,
        rng: np.random.Generator,
        name: str,
        *,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self._convolutions: list[ConvLayer] = []
        for index, activation in enumerate(("linear", "relu", "linear", "relu", "linear")):
            conv = ConvSpec(spec.filters, 3, 1, "SAME", activation)
            self._convolutions.append(
                ConvLayer(channels, conv, initializer, rng, f"{name}/{index}", layer_norm=layer_norm)
            )
            channels = spec.filters
        self._activation = _ACTIVATIONS[spec.activation]

    def __call__(self, inputs: tf.Tensor, input_scale: float = 1.0) -> tf.Tensor:
        first, *blocks = self._convolutions
        outputs = tf.nn.max_pool2d(first(inputs, input_scale), ksize=3, strides=2, padding="SAME")
        for inner, outer in (blocks[:2], blocks[2:]):
            outputs += outer(inner(tf.nn.relu(outputs)))
        return self._activation(outputs)
