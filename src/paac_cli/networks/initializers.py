"""Initial weights, drawn with NumPy so that they do not depend on the device."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: (shape of the kernel, gain, generator) -> (kernel [*shape], bias [shape[-1]]), both float32
Initializer = Callable[[tuple[int, ...], float, np.random.Generator], tuple[NDArray, NDArray]]


def orthogonal(shape: tuple[int, ...], gain: float, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """`gain` times a matrix with orthonormal columns or rows; biases 0 (Saxe et al. 2014, arXiv 1312.6120)."""
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))  # uniform over orthogonal matrices only with positive diagonals of r
    kernel = (q if rows >= columns else q.T).reshape(shape)
    return (gain * kernel).astype(np.float32), np.zeros(columns, np.float32)


def fan_in_uniform(shape: tuple[int, ...], gain: float, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Weights and biases uniform in +-1/sqrt(fan_in), as in the code of the PAAC paper. Ignores `gain`."""
    bound = 1.0 / np.sqrt(np.prod(shape[:-1]))
    kernel = rng.uniform(-bound, bound, shape)
    bias = rng.uniform(-bound, bound, shape[-1])
    return kernel.astype(np.float32), bias.astype(np.float32)


INITIALIZERS: dict[str, Initializer] = {"orthogonal": orthogonal, "fan_in_uniform": fan_in_uniform}
