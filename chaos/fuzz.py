"""Fuzzes presets, manifests and array files. A reader may accept an input or raise its documented error, nothing else.

Half of the inputs are valid files with changed bytes, half are valid data with changed values. Checksums are adapted,
so that no input is refused because of its checksum. An input is a function of the seed, its kind and its number.
"""

import hashlib
import json
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from chaos.result import TrialResult
from chaos.save_scenes import some_checkpoint
from paac_cli.config import yaml_io
from paac_cli.config.load import load_config, to_yaml
from paac_cli.config.presets import preset_names, read_preset
from paac_cli.errors import PaacError
from paac_cli.machine import available_cores
from paac_cli.runs.arrays import read_arrays
from paac_cli.runs.checkpoint import load_policy, save_checkpoint

_MAX_SECONDS = 1.0  # of processor time for one input
_MAX_MEMORY = 2 << 30  # bytes that reading may allocate


class _Kind(NamedTuple):
    """One kind of file."""

    name: str
    share: float  #: of all inputs; smaller for slow readers
    examples: Callable[[Path], list[bytes]]  #: makes valid files, in an empty directory
    read: Callable[[bytes, Path], None]  #: raises PaacError if the input is refused
    parse: Callable[[bytes], Any]  #: the plain data in an example
    unparse: Callable[[Any, bytes], bytes]  #: (data, example) -> the example with its data replaced
    tokens: tuple[bytes, ...]  #: pieces of the file's syntax, which are inserted into files


def run(*, seed: int = 1, inputs: int = 1_000_000, processes: int = available_cores()) -> TrialResult:
    """Read `inputs` files of all kinds in `processes` parallel processes; if it is 1, in this process."""
    begin = time.monotonic()
    counts = {kind.name: round(inputs * kind.share) for kind in _KINDS}
    parts = [(name, range(part, count, processes), seed) for name, count in counts.items() for part in range(processes)]
    if processes == 1:
        results = [_fuzz(*part) for part in parts]
    else:
        with multiprocessing.get_context("fork").Pool(processes, _limit_memory) as pool:
            results = pool.starmap(_fuzz, parts, chunksize=1)
    failures = [failure for result in results for failure in result.failures]
    slowest = max(result.slowest for result in results)
    accepted = sum(result.accepted for result in results)
    summary = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    summary += f"; {accepted:,} of them were valid; the slowest took {slowest:.2f} s of processor time"
    seconds = time.monotonic() - begin
    return TrialResult("fuzzed inputs", sum(counts.values()), len(failures), seconds, (summary, *failures[:20]))


class _Result(NamedTuple):
    accepted: int
    slowest: float  #: seconds of processor time
    failures: list[str]


def _fuzz(name: str, numbers: range, seed: int) -> _Result:
    kind = next(kind for kind in _KINDS if kind.name == name)
    accepted, slowest, failures = 0, 0.0, []
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as work:
        examples = kind.examples(Path(work))
        data = [kind.parse(example) for example in examples]
        for number in numbers:
            rng = random.Random(f"{seed} {name} {number}")
            text = _make_input(kind, examples, data, rng)
            start = time.process_time()
            try:
                kind.read(text, Path(work))
                accepted += 1
            except PaacError:
                pass
            except BaseException as error:
                failures.append(f"{name} {number}: {error!r} for {text[:300]!r}")
            seconds = time.process_time() - start
            slowest = max(slowest, seconds)
            if seconds > _MAX_SECONDS:
                failures.append(f"{name} {number}: {seconds:.1f} s for {text[:300]!r}")
    return _Result(accepted, slowest, failures)


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MAX_MEMORY, used + _MAX_MEMORY))


# --- making an input from an example


def _make_input(kind: _Kind, examples: list[bytes], data: list[Any], rng: random.Random) -> bytes:
    index = rng.randrange(len(examples))
    if rng.random() < 0.5:
        text = bytearray(examples[index])
        for _ in range(rng.choice((1, 1, 2, 4))):
            _change_bytes(text, kind.tokens, rng)
        return bytes(text)
    changed = data[index]
    for _ in range(rng.choice((1, 1, 2, 4))):
        changed = _change_value(changed, rng)
    return kind.unparse(changed, examples[index])


def _change_bytes(text: bytearray, tokens: tuple[bytes, ...], rng: random.Random) -> None:
    start = rng.randrange(len(text) + 1)
    end = min(len(text), start + rng.choice((0, 0, 1, 2, 8, 40)))
    match rng.randrange(4):
        case 0:
            text[start:end] = rng.randbytes(rng.choice((0, 1, 1, 2, 8)))
        case 1:
            text[start:end] = rng.choice(tokens)
        case 2:
            text[start:start] = text[start : start + rng.choice((1, 10, 100))] * rng.choice((1, 2, 50))
        case 3:
            text[start:end] = str(rng.choice(_NUMBERS)).encode()


_NUMBERS = (0, 1, -1, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 10**30, 1e308, 0.5, -0.0)
_VALUES = (*_NUMBERS, None, True, "", "a", "../x", "/etc/passwd", "a:b", "\N{SNOWMAN}", "x" * 5000, [], {}, [[]] * 3)


def _change_value(data: Any, rng: random.Random) -> Any:
    """A copy of plain `data` with one value in it replaced, removed, added, or copied from another key."""
    if not data or not isinstance(data, dict | list) or rng.random() < 0.05:
        return _some_value(rng)
    if isinstance(data, list):
        index = rng.randrange(len(data))
        return [*data[:index], _change_value(data[index], rng), *data[index + 1 :]]
    key = rng.choice(list(data))
    match rng.randrange(8):
        case 0:
            return {name: value for name, value in data.items() if name != key}
        case 1:
            return data | {rng.choice(("x", "", "../x", "name", "__metadata__", key + "s")): _some_value(rng)}
        case 2:
            return data | {key: data[rng.choice(list(data))]}
    return data | {key: _change_value(data[key], rng)}


def _some_value(rng: random.Random) -> Any:
    value = rng.choice(_VALUES)
    for _ in range(rng.choice((0, 0, 0, 1, 3, 60))):
        value = rng.choice(([value], {"a": value}))
    return value


# --- the kinds of file


def _presets(work: Path) -> list[bytes]:
    texts = [read_preset(name) for name in preset_names() if not name.startswith("paper/")]
    return [yaml_io.dump(yaml_io.parse(text, "")).encode() for text in texts]


def _read_preset(text: bytes, work: Path) -> None:
    path = work / "preset.yaml"
    path.write_bytes(text)
    config = load_config(yaml_io.read(path), "preset", trusted=())
    assert load_config(yaml_io.parse(to_yaml(config), "written"), "written") == config, (
        "writing and reading the config changes it"
    )


def _manifests(work: Path) -> list[bytes]:
    return [(save_checkpoint(work, some_checkpoint(1000), keep=1) / "manifest.json").read_bytes()]


def _read_manifest(text: bytes, work: Path) -> None:
    path = work / "step_000001000"
    (path / "manifest.json").write_bytes(text)
    (path / "manifest.sha256").write_text(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")
    load_policy(path)


def _arrays(work: Path) -> list[bytes]:
    path = save_checkpoint(work, some_checkpoint(1000), keep=1)
    return [file.read_bytes() for file in sorted(path.glob("*.safetensors"))]


def _read_arrays(text: bytes, work: Path) -> None:
    path = work / "arrays"
    path.write_bytes(text)
    try:
        arrays = read_arrays(path, hashlib.sha256(text).hexdigest())
    except ValueError as error:
        raise PaacError from error  # as `load_checkpoint` does
    assert sum(array.nbytes for array in arrays.values()) <= len(text), "the arrays are larger than the file"
    for array in arrays.values():
        array.tobytes()


def _header(text: bytes) -> Any:
    return json.loads(text[8 : 8 + int.from_bytes(text[:8], "little")])


def _with_header(header: Any, example: bytes) -> bytes:
    data = example[8 + int.from_bytes(example[:8], "little") :]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


_JSON = (
    *(b"{", b"[", b'"', b",", b":", b"}", b"]", b"null", b"NaN", b"-Infinity", b"1e999", b"9" * 5000),
    *(b'"\\ud800"', b"\xff", b"[" * 300),
)
_YAML = (
    *(b"{", b"[", b"- ", b": ", b"\n", b"  ", b"? ", b"&a ", b"*a", b"<<: ", b"!!binary ", b"!!set "),
    *(b"!!python/object/apply:os.system [ls]", b"%TAG ! tag:x,2000:\n---\n", b"---\n", b"...", b"|\n", b">-\n"),
    *(b"'", b'"', b"#", b"\t", b".nan", b".inf", b"1e999", b"0x" + b"f" * 99, b"1:59", b"~", b"yes", b"2001-01-01"),
    *(b"9" * 5000, b"[" * 300, b"\xff", b"\0"),
)

_KINDS = (
    _Kind(
        *("presets", 0.2, _presets, _read_preset),
        parse=lambda text: yaml_io.parse(text.decode(), ""),
        unparse=lambda data, _: yaml_io.dump(data).encode(),
        tokens=_YAML,
    ),
    _Kind(
        *("manifests", 0.4, _manifests, _read_manifest),
        parse=json.loads,
        unparse=lambda data, _: json.dumps(data).encode(),
        tokens=_JSON,
    ),
    _Kind("array files", 0.4, _arrays, _read_arrays, _header, _with_header, _JSON),
)
