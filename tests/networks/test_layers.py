"""LayerNorm and the residual section against numbers worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.networks.initializers import orthogonal
from paac_cli.networks.layers import (
    ConvLayer,
    ConvSpec,
    DenseLayer,
    DenseSpec,
    LayerNorm,
    ResidualSection,
    ResidualSpec,
)


def set_by_name(module, **values):
    """Set every variable whose name ends with one of the keys."""
    for variable in module.variables:
        end = variable.name.removesuffix(":0").rpartition("/")[2]
        if end in values:
            variable.assign(tf.broadcast_to(tf.constant(values[end], tf.float32), variable.shape))


def test_layer_norm_by_hand():
    norm = LayerNorm(4, "layer")
    # mean 1, variance 3
    np.testing.assert_allclose(norm(tf.constant([[0.0, 0, 0, 4]])), [[-1 / 3**0.5] * 3 + [3**0.5]], rtol=1e-5)
    norm.variables[0].assign([1.0, 1.0, 2.0, 2.0])
    norm.variables[1].assign([0.0, 5.0, 0.0, 5.0])
    expected = [[-1 / 3**0.5, 5 - 1 / 3**0.5, -2 / 3**0.5, 5 + 2 * 3**0.5]]
    np.testing.assert_allclose(norm(tf.constant([[0.0, 0, 0, 4]])), expected, rtol=1e-5)


def test_layer_norm_of_equal_numbers_is_the_shift():
    np.testing.assert_array_equal(LayerNorm(3, "layer")(tf.fill((2, 3), 7.0)), np.zeros((2, 3)))


def test_layer_norm_equals_that_of_keras_over_the_last_axis():
    inputs = np.random.default_rng(0).normal(3.0, 2.0, (2, 5, 4, 8)).astype(np.float32)
    expected = tf.keras.layers.LayerNormalization(axis=-1, epsilon=1e-6)(inputs)
    np.testing.assert_allclose(LayerNorm(8, "layer")(inputs), expected, atol=1e-5)


def test_a_dense_layer_is_normalised_before_its_activation():
    layer = DenseLayer(2, DenseSpec(2, "relu"), orthogonal, np.random.default_rng(0), "layer", layer_norm=True)
    set_by_name(layer, kernel=np.eye(2))
    # mean 1, variance 4: (-1, 1), then relu; in the other order it would be (-1, 1)
    np.testing.assert_allclose(layer(tf.constant([[-1.0, 3.0]])), [[0.0, 1.0]], atol=1e-5)


def test_a_convolution_is_normalised_over_the_channels_of_each_pixel():
    layer = ConvLayer(2, ConvSpec(2, 1, 1), orthogonal, np.random.default_rng(0), "layer", layer_norm=True)
    set_by_name(layer, kernel=np.eye(2), shift=[1.0, 0.0], scale=[1.0, 2.0])
    outputs = layer(tf.constant([[[[1.0, 3.0]], [[30.0, 10.0]]]]))
    # (-1, 1) and (1, -1), scaled, shifted, and then relu
    np.testing.assert_allclose(outputs, [[[[0.0, 2.0]], [[2.0, 0.0]]]], atol=1e-4)


def test_a_residual_section_by_hand():
    """With identity convolutions a block adds the positive part of its input to it: 1 -> 2 -> 4, -1 -> -1."""
    section = ResidualSection(1, ResidualSpec(1), orthogonal, np.random.default_rng(0), "layer")
    set_by_name(section, kernel=np.pad([[1.0]], 1)[:, :, np.newaxis, np.newaxis])
    inputs = np.full((4, 4), -1.0, np.float32)
    # The pooling windows start at rows and columns 0 and 2, and reach one pixel beyond the edge.
    inputs[0, 0], inputs[0, 3], inputs[3, 3] = 1.0, 2.0, 3.0
    outputs = section(tf.constant(inputs[np.newaxis, :, :, np.newaxis]))[0, :, :, 0]
    np.testing.assert_array_equal(outputs, [[4.0, 8.0], [-1.0, 12.0]])


def test_the_last_section_ends_with_its_activation():
    section = ResidualSection(1, ResidualSpec(1, "relu"), orthogonal, np.random.default_rng(0), "layer")
    set_by_name(section, kernel=0.0, bias=-1.0)
    # first convolution -1; each block adds relu(-1) * 0 - 1: -3 before the activation
    np.testing.assert_array_equal(section(tf.ones((1, 2, 2, 1))), np.zeros((1, 1, 1, 1)))
    assert section.variables[0].shape == (1,)


def test_every_convolution_of_a_section_is_normalised():
    section = ResidualSection(3, ResidualSpec(4), orthogonal, np.random.default_rng(0), "layer", layer_norm=True)
    names = {variable.name.removesuffix(":0") for variable in section.trainable_variables}
    assert names == {f"layer/{index}/{name}" for index in range(5) for name in ("kernel", "bias", "scale", "shift")}
    set_by_name(section, scale=0.0, shift=1.0)
    # Each convolution outputs 1 for any input: 1 + 1 + 1
    np.testing.assert_array_equal(section(tf.random.stateless_normal((1, 4, 4, 3), (0, 0))), np.full((1, 2, 2, 4), 3.0))


@pytest.mark.parametrize(("side", "expected"), [(1, 1), (2, 1), (3, 2), (84, 42), (21, 11)])
def test_a_section_halves_the_sides_and_rounds_up(side, expected):
    section = ResidualSection(3, ResidualSpec(2), orthogonal, np.random.default_rng(0), "layer")
    assert section(tf.zeros((1, side, side + 2, 3))).shape == (1, expected, expected + 1, 2)
