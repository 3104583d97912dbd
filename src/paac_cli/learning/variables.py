"""TensorFlow variables to named arrays and back."""

from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.errors import CheckpointError


class Variables:
    """A `State` made of variables, saved under their names."""

    def __init__(self, variables: Iterable[tf.Variable], **groups: Iterable[tf.Variable]) -> None:
        """groups: further variables, saved as `group/name`, e.g. those of a second network."""
        self._by_name = {_name(variable): variable for variable in variables}
        for group, members in groups.items():
            self._by_name |= {f"{group}/{_name(variable)}": variable for variable in members}

    def to_arrays(self) -> dict[str, NDArray]:
        return {name: np.array(variable.numpy()) for name, variable in self._by_name.items()}

    def assign(self, arrays: Mapping[str, NDArray]) -> None:
        """Set every variable, or none if one of them does not fit."""
        self.check(arrays)
        for name, variable in self._by_name.items():
            variable.assign(arrays[name])

    def check(self, arrays: Mapping[str, NDArray]) -> None:
        """Raises CheckpointError where `assign` would."""
        check_fit(arrays, {name: (v.shape, v.dtype.as_numpy_dtype) for name, v in self._by_name.items()})


def check_fit(arrays: Mapping[str, NDArray], expected: Mapping[str, tuple[Iterable[int], type]]) -> None:
    """Raises CheckpointError unless `arrays` have exactly the names, shapes and dtypes that are `expected`."""
    missing, unknown = expected.keys() - arrays.keys(), arrays.keys() - expected.keys()
    if missing or unknown:
        raise CheckpointError(
            f"the checkpoint does not fit its config: missing {sorted(missing)}, unknown {sorted(unknown)}"
        )
    for name, (shape, dtype) in expected.items():
        array = arrays[name]
        if array.shape != tuple(shape) or array.dtype != dtype:
            raise CheckpointError(
                f"the checkpoint does not fit its config: {name} is {array.dtype} {array.shape}, "
                f"not {np.dtype(dtype)} {tuple(shape)}"
            )


def copy_variables(source: Iterable[tf.Variable], target: Iterable[tf.Variable]) -> None:
    """Set the variables of a `target` network to the values of a `source` network of the same architecture."""
    for from_variable, to_variable in zip(source, target, strict=True):
        to_variable.assign(from_variable)


def _name(variable: tf.Variable) -> str:
    return variable.name.removesuffix(":0")
