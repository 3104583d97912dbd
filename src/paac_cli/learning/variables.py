"""Converts TensorFlow variables to named arrays, and assigns such arrays."""

from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.errors import CheckpointError, ConfigError


class Variables:
    """A `State` made of variables, saved under their names."""

    def __init__(self, variables: Iterable[tf.Variable], **groups: Iterable[tf.Variable]) -> None:
        """groups: prefix -> further variables, saved as `prefix/name`, e.g. those of a target network.

        Raises ConfigError if two variables would be saved under the same name.
        """
        self._by_name: dict[str, tf.Variable] = {}
        for prefix, members in {"": variables, **groups}.items():
            for variable in members:
                name = f"{prefix}/{_name(variable)}" if prefix else _name(variable)
                if self._by_name.get(name, variable) is not variable:
                    raise ConfigError(
                        f"two variables have the name {name!r}, but a checkpoint stores variables by their names; give "
                        "each its own (the name of a part of the observation may be in it)"
                    )
                self._by_name[name] = variable

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
    """Raises CheckpointError unless `arrays` have exactly the `expected` names, shapes and dtypes.

    expected: name -> (shape, dtype).
    """
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
    """Copy the values of `source` to `target`, the variables of a network of the same architecture."""
    for from_variable, to_variable in zip(source, target, strict=True):
        to_variable.assign(from_variable)


def _name(variable: tf.Variable) -> str:
    return variable.name.removesuffix(":0")
