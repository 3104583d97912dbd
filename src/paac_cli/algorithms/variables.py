"""TensorFlow variables to named arrays and back."""

from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.errors import CheckpointError


class Variables:
    """A `State` made of variables, which it knows by their names."""

    def __init__(self, variables: Iterable[tf.Variable]) -> None:
        self._by_name = {variable.name.removesuffix(":0"): variable for variable in variables}

    def to_arrays(self) -> dict[str, NDArray]:
        return {name: np.array(variable.numpy()) for name, variable in self._by_name.items()}

    def assign(self, arrays: Mapping[str, NDArray]) -> None:
        """Set every variable; none is set unless all fit."""
        missing, unknown = self._by_name.keys() - arrays.keys(), arrays.keys() - self._by_name.keys()
        if missing or unknown:
            raise CheckpointError(
                f"the checkpoint does not fit its config: missing {sorted(missing)}, unknown {sorted(unknown)}"
            )
        for name, variable in self._by_name.items():
            array = arrays[name]
            if array.shape != tuple(variable.shape) or array.dtype != variable.dtype.as_numpy_dtype:
                raise CheckpointError(
                    f"the checkpoint does not fit its config: {name} is {array.dtype} {array.shape}, "
                    f"not {variable.dtype.name} {tuple(variable.shape)}"
                )
        for name, variable in self._by_name.items():
            variable.assign(arrays[name])
