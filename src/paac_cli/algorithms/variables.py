"""TensorFlow variables to named arrays and back."""

from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.errors import CheckpointError


def variables_to_arrays(variables: Iterable[tf.Variable]) -> dict[str, NDArray]:
    """Name -> copy of the value."""
    return {_name(variable): np.array(variable.numpy()) for variable in variables}


def assign_arrays(variables: Iterable[tf.Variable], arrays: Mapping[str, NDArray]) -> None:
    """Set every variable; none is set unless all fit. Raises CheckpointError."""
    by_name = {_name(variable): variable for variable in variables}
    missing, unknown = by_name.keys() - arrays.keys(), arrays.keys() - by_name.keys()
    if missing or unknown:
        raise CheckpointError(
            f"the checkpoint does not fit its config: missing {sorted(missing)}, unknown {sorted(unknown)}"
        )
    for name, variable in by_name.items():
        array = arrays[name]
        if array.shape != tuple(variable.shape) or array.dtype != variable.dtype.as_numpy_dtype:
            raise CheckpointError(
                f"the checkpoint does not fit its config: {name} is {array.dtype} {array.shape}, "
                f"not {variable.dtype.name} {tuple(variable.shape)}"
            )
    for name, variable in by_name.items():
        variable.assign(arrays[name])


def _name(variable: tf.Variable) -> str:
    return variable.name.removesuffix(":0")
