"""Arrays on disk: compatible with the safetensors library, and safe against invalid headers."""

import hashlib
import json
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.numpy import load_file, save_file

from paac_cli.runs.arrays import read_arrays, write_arrays

DTYPES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_and_read(path, arrays):
    digest = write_arrays(path, arrays)
    assert digest == sha256(path)
    return read_arrays(path, digest)


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert (array.dtype, array.shape) == (theirs[name].dtype, theirs[name].shape)
        assert array.tobytes() == theirs[name].tobytes()  # NaN too, and the sign of zero


def some_arrays():
    rng = np.random.default_rng(0)
    everything = rng.integers(0, 256, (4, 6, 8), np.uint8)
    return {
        **{f"dtype/{dtype}": rng.integers(0, 2, (3, 5)).astype(dtype) for dtype in DTYPES},
        **{f"one/{dtype}": np.array(1, dtype) for dtype in DTYPES},
        "odd": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
        "empty": np.zeros((0,), np.float32),
        "empty/too": np.zeros((3, 0, 2), np.int64),
        "scalar": np.float64(2.5),
        "view/columns": everything[:, 1:3],
        "view/every other": everything[::2, ::3, ::2],
        "view/backwards": everything[::-1, :, ::-1],
        "view/turned": everything.T,
        "view/fortran": np.asfortranarray(rng.normal(size=(5, 7))),
        "view/vector": rng.normal(size=20)[::3],
        "view/same": np.broadcast_to(np.float32(7), (3, 4)),
        "view/nothing": everything[:, 2:2],
        "snowman \N{SNOWMAN}": np.arange(3),
    }


def test_arrays_of_every_dtype_and_layout_are_read_as_they_were_written(tmp_path):
    arrays = some_arrays()
    assert_same(arrays, write_and_read(tmp_path / "a", arrays))


def test_an_empty_set_of_arrays_can_be_written(tmp_path):
    assert write_and_read(tmp_path / "a", {}) == {}


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=5).filter(lambda name: name != "__metadata__"),
        st.sampled_from(DTYPES).flatmap(lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0))),
        max_size=4,
    )
)
def test_arrays_of_any_shape_and_name_are_read_as_they_were_written(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("any") / "a"
    assert_same(arrays, write_and_read(path, arrays))
    assert_same(arrays, load_file(path))


def test_the_safetensors_library_reads_files_of_write_arrays(tmp_path):
    arrays = some_arrays()
    write_arrays(tmp_path / "a", arrays)
    assert_same(arrays, load_file(tmp_path / "a"))


@pytest.mark.parametrize("metadata", [None, {"by": "someone", "dtype": "F32", "shape": "[1]"}])
def test_read_arrays_reads_files_of_the_safetensors_library(tmp_path, metadata):
    arrays = {name: np.ascontiguousarray(array) for name, array in some_arrays().items() if np.ndim(array)}
    save_file(arrays, tmp_path / "a", metadata)
    assert_same(arrays, read_arrays(tmp_path / "a", sha256(tmp_path / "a")))


def test_bytes_do_not_depend_on_the_order_or_memory_layout_of_the_arrays(tmp_path):
    arrays = some_arrays()
    write_arrays(tmp_path / "a", arrays)
    write_arrays(tmp_path / "b", dict(reversed([(name, np.array(array, order="F")) for name, array in arrays.items()])))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_read_arrays_are_aligned_and_writing_to_them_does_not_change_the_file(tmp_path):
    arrays = some_arrays()
    digest = write_arrays(tmp_path / "a", arrays)
    read = read_arrays(tmp_path / "a", digest)
    for array in read.values():
        assert array.flags.aligned
        array[...] = 0
    assert sha256(tmp_path / "a") == digest
    (tmp_path / "a").unlink()
    assert not any(array.any() for array in read.values())  # the mapping outlives the file name


# Sizes


@pytest.mark.parametrize("is_view", [False, True])
def test_a_large_array_is_written_and_read_in_little_memory(tmp_path, is_view):
    large = np.zeros((64, 1 << 20), np.uint8)  # 64 MiB
    large[:, ::4096] = np.arange(64)[:, np.newaxis]
    written = large[:, : 3 << 18] if is_view else large
    tracemalloc.start()
    try:
        digest = write_arrays(tmp_path / "a", {"large": written})
        read = read_arrays(tmp_path / "a", digest)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    assert np.array_equal(read["large"], written)


# Invalid headers


F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
BIG = 2**63


def with_header(path, header, data=8, length=None):
    """A file with this header and `data` zero bytes of data; `length` is the header length that it states."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + bytes(data))
    return sha256(path)


def twice(first, second):
    return f'{{"a": {json.dumps(first)}, "a": {json.dumps(second)}}}'.encode()


def test_a_valid_header_is_read(tmp_path):
    read = read_arrays(tmp_path / "a", with_header(tmp_path / "a", {"a": F32}))
    assert_same(read, {"a": np.zeros(2, np.float32)})


@pytest.mark.parametrize(
    ("header", "rest"),
    [
        ({"a": F32 | {"shape": [4], "data_offsets": [0, 16]}}, {}),
        ({"a": F32 | {"data_offsets": [BIG, BIG + 8]}}, {}),
        ({"a": F32, "b": F32 | {"data_offsets": [4, 12]}}, {"data": 12}),
        ({"a": F32, "b": F32}, {}),
        ({"a": F32, "b": F32 | {"data_offsets": [12, 20]}}, {"data": 20}),
        ({"a": F32}, {"data": 9}),
        ({"a": F32}, {"data": 7}),
        ({"a": F32 | {"data_offsets": [8, 0]}}, {}),
        ({"a": F32 | {"data_offsets": [-8, 0]}}, {}),
        ({"a": F32 | {"data_offsets": [0]}}, {}),
        ({"a": F32 | {"shape": [3]}}, {}),
        ({"a": F32 | {"shape": [-2]}}, {}),
        ({"a": F32 | {"shape": [2.0]}}, {}),
        ({"a": F32 | {"shape": [2**40, 2**40]}}, {}),
        ({"a": F32 | {"shape": [0, 2**62], "data_offsets": [0, 0]}}, {"data": 0}),
        ({"a": F32 | {"shape": [0, BIG], "data_offsets": [0, 0]}}, {"data": 0}),
        ({"a": F32 | {"shape": [1] * 100 + [2]}}, {}),
        ({"a": F32 | {"dtype": "F33"}}, {}),
        ({"a": F32 | {"dtype": "BF16", "shape": [4]}}, {}),
        ({"a": F32 | {"dtype": "C64", "shape": [1]}}, {}),
        ({"a": F32 | {"dtype": {"F32": None}}}, {}),
        ({"a": ["F32", [2], [0, 8]]}, {}),
        ({"a": {}}, {}),
        ({"a": None}, {}),
        ({"__metadata__": {"a": 1}, "a": F32}, {}),
        (twice(F32, F32), {}),
        (twice(F32 | {"shape": [1], "data_offsets": [0, 4]}, F32), {}),
        (twice(F32, F32 | {"shape": [1], "data_offsets": [0, 4]}), {}),
        (b'{"a": {"dtype": "F32", "dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}', {}),
        ([], {}),
        (b"", {"data": 0}),
        (b"{", {}),
        (b'{"\xff": 1}', {}),
        (b'{"\\ud800": 1}', {}),
        (b'{"a":' * 50_000, {}),
        (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"b":' + b"[" * 50_000, {}),
        (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"b":' + b"9" * 50_000 + b"}}", {}),
        ({"a": F32}, {"length": 0}),
        ({"a": F32}, {"length": 5}),
        ({"a": F32}, {"length": 10_000}),
        ({"a": F32}, {"length": 2**40}),
        ({"a": F32}, {"length": 2**64 - 1}),
    ],
)
def test_an_invalid_header_is_refused_at_once_even_with_the_right_checksum(tmp_path, header, rest):
    digest = with_header(tmp_path / "a", header, **rest)
    start = time.monotonic()
    with pytest.raises(ValueError):
        read_arrays(tmp_path / "a", digest)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("size", range(8))
def test_a_file_too_short_for_its_header_length_is_refused(tmp_path, size):
    (tmp_path / "a").write_bytes(bytes(size))
    with pytest.raises(ValueError, match=r"^a: "):
        read_arrays(tmp_path / "a", sha256(tmp_path / "a"))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_damaged_header_is_refused_or_still_describes_all_data(tmp_path_factory, data):
    """The checksum matches, so that only the check of the header protects memory."""
    path = tmp_path_factory.mktemp("damaged") / "a"
    write_arrays(path, {"a": np.arange(6.0), "b": np.arange(4, dtype=np.uint8).reshape(2, 2)})
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        read = read_arrays(path, sha256(path))
    except ValueError:
        return
    assert sum(array.nbytes for array in read.values()) == 6 * 8 + 4


def test_an_error_names_the_file_whose_checksum_does_not_match(tmp_path):
    digest = write_arrays(tmp_path / "weights", {"a": np.arange(3)})
    with pytest.raises(ValueError, match="weights does not match its SHA-256"):
        read_arrays(tmp_path / "weights", digest[:-1] + ("0" if digest[-1] != "0" else "1"))


def test_a_missing_file_raises_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "a", "")
