"""Initial weights, drawn with NumPy so that they do not depend on the device."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: (shape, gain, generator) -> (kernel of that shape, bias of its last dimension), float32
Initializer = Callable[[tuple[int, ...], float, np.random.Generator], tuple[NDArray, NDArray]]


def orthogonal(shape: tuple[int, ...], gain: float, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Orthonormal columns or rows times `gain`; biases are 0 (Saxe et al. 2014, arXiv 1312.6120)."""
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))  # makes the distribution uniform over orthogonal matrices
    kernel = (q if rows >= columns else q.T).reshape(shape)
    return (gain * kernel).astype(np.float32), np.zeros(columns, np.float32)


def fan_in_uniform(shape: tuple[int, ...], gain: float, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Weights and biases uniform in +-1/sqrt(fan_in), as in the code of the PAAC paper; `gain` is ignored."""
    bound = 1.0 / np.sqrt(np.prod(shape[:-1]))
    kernel = rng.uniform(-bound, bound, shape)
    bias = rng.uniform(-bound, bound, shape[-1])
    return kernel.astype(np.float32), bias.astype(np.float32)


INITIALIZERS: dict[str, Initializer] = {"orthogonal": orthogonal, "fan_in_uniform": fan_in_uniform}
