"""Named arrays on disk in the safetensors format, even if they are larger than memory.

The safetensors library validates files that are read. It does not write them: it would first copy all arrays into
memory, and a replay buffer has gigabytes.
"""

import hashlib
import io
import json
import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load

from paac_cli.files import open_regular, write_synced

Arrays = dict[str, NDArray]

_ALIGNMENT = 8
_CHUNK = 1 << 24
_MAX_HEADER = 1 << 22  # bytes; about 40,000 arrays
#: NumPy's dtypes under their safetensors names.
_DTYPES = {
    name: np.dtype(dtype)
    for name, dtype in {
        "BOOL": "bool", "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8",
        "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
    }.items()
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def write_arrays(path: Path, arrays: Mapping[str, NDArray]) -> str:
    """Write `arrays` to the new file `path` and sync it; returns its SHA-256. Raises OSError."""
    return write_synced(path, array_pieces(arrays))


def array_pieces(arrays: Mapping[str, NDArray]) -> Iterator[bytes | memoryview]:
    """The bytes of a file that holds `arrays`, piece by piece."""
    # Widest dtype first, so that every array is aligned.
    in_order = sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0]))
    header: dict[str, object] = {}
    end = 0
    for name, array in in_order:
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": array.shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    yield len(text).to_bytes(8, "little")
    yield text
    for _, array in in_order:
        yield from _chunks(array)


def _chunks(array: NDArray) -> Iterator[bytes | memoryview]:
    """The bytes of an array in C order. Only non-contiguous arrays are copied, one part at a time."""
    if array.flags.c_contiguous:
        whole = array.reshape(-1).view(np.uint8).data
        yield from (whole[start : start + _CHUNK] for start in range(0, len(whole), _CHUNK))
    elif array.ndim == 1:
        yield array.tobytes()
    else:
        for part in array:
            yield from _chunks(part)


def arrays_from_bytes(data: bytes) -> Arrays:
    """The arrays whose `array_pieces` make `data`."""
    return load(data)


def read_arrays(path: Path, sha256: str) -> Arrays:
    """The arrays in `path`, memory-mapped: pages are read when they are used. Writing to the arrays changes no file.

    Raises OSError, or ValueError if the file's SHA-256 is not `sha256` or the file is not valid safetensors.
    """
    with open_regular(path) as file:
        start = _end_of_header(file, path.name)  # before the checksum, which takes long if the file is huge
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise ValueError(f"{path.name} does not match its SHA-256")
        file.seek(8)
        header = json.loads(file.read(start - 8), object_pairs_hook=unique_keys)
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    arrays = {}
    for name, entry in header.items():
        match entry:
            case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [offset, _]} if dtype in _DTYPES:
                arrays[name] = np.ndarray(tuple(shape), _DTYPES[dtype], memory, start + offset)
            case _ if name != "__metadata__":
                raise ValueError(f"{path.name}: {name!r} is {entry}, which is not an array that paac writes")
    return arrays


def _end_of_header(file: io.BufferedIOBase, name: str) -> int:
    """The offset of the first array in a file of arrays. Raises ValueError if header and size do not fit each other."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = 8 + int.from_bytes(file.read(8), "little")
    if not 8 < start <= size:
        raise ValueError(f"{name}: not a file of arrays")
    if start > _MAX_HEADER:
        raise ValueError(f"{name} has a header of {start:,} bytes; at most {_MAX_HEADER:,} are read")
    try:
        with safe_open(f"/proc/self/fd/{file.fileno()}", framework="np"):
            return start
    except SafetensorError as error:
        raise ValueError(f"{name}: not a file of arrays: {error}") from error


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dict. Raises ValueError if a key appears twice: parsers disagree on which one counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key appears twice")
    return found
