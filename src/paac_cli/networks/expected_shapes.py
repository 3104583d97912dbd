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
        raise CheckpointError(f"{_reason(name, array.shape, shape)}: {name} is {array.shape}, not {shape}")


def _reason(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Why the array `name` has another shape than the network that the config and the environment describe.

    If a layer, and no layer before it, differs in its inputs alone, the observations have changed; if a head, whose
    outputs follow from the actions, differs in its outputs alone, the actions have.
    """
    if len(found) == len(wanted) > 1 and found[-1] == wanted[-1]:
        return "the environment's observations have another shape than when the checkpoint was saved"
    if found[:-1] == wanted[:-1] and not name.startswith(("torso", "recurrent")):
        return "the environment has other actions than when the checkpoint was saved"
    return "the checkpoint does not fit its config"
