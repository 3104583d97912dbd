"""The statistics of initial weights."""

import numpy as np

from paac_cli.networks.initializers import fan_in_uniform, orthogonal


def test_orthogonal_kernels_have_orthonormal_columns_or_rows():
    for shape in ((64, 8), (8, 64), (4, 4, 3, 16)):
        kernel, bias = orthogonal(shape, 2.0, np.random.default_rng(0))
        matrix = kernel.reshape(-1, shape[-1]) / 2.0
        small = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
        np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-5)
        assert not bias.any()


def test_fan_in_uniform_weights_fill_their_interval():
    kernel, bias = fan_in_uniform((8, 8, 4, 64), 1.0, np.random.default_rng(0))
    assert 0.99 / 16 < np.abs(kernel).max() <= 1 / 16
    assert 0 < np.abs(bias).max() <= 1 / 16
