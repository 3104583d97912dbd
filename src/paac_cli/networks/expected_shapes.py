"""The shapes that a network must have, because it will get the weights of a checkpoint.

They are compared before a layer is built: a checkpoint may come from somebody else, and a config of a few bytes can
name a network that no memory can hold.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from numpy.typing import NDArray

from paac_cli.errors import CheckpointError

_expected: Mapping[str, NDArray] | None = None


@contextmanager
def expecting(arrays: Mapping[str, NDArray] | None) -> Iterator[None]:
    """In this block, layers must have the shapes of `arrays`, by name. None: any shapes."""
    global _expected
    before, _expected = _expected, arrays
    try:
        yield
    finally:
        _expected = before


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raises CheckpointError if the array `name` that is expected is missing or has not `shape`."""
    if _expected is None:
        return
    array = _expected.get(name)
    if array is None:
        raise CheckpointError(f"the checkpoint does not fit its config: {name} is missing")
    if array.shape != shape:
        raise CheckpointError(f"the checkpoint does not fit its config: {name} is {array.shape}, not {shape}")
