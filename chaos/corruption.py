"""Damages the files of a checkpoint by changed bytes, truncation and appended bytes. Loading must detect all damage."""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chaos.result import TrialResult
from chaos.save_scenes import some_checkpoint
from paac_cli.errors import CheckpointError
from paac_cli.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


class _Damage(NamedTuple):
    description: str
    start: int  #: index of the first byte that is replaced
    content: bytes  #: of the file from `start` to its end


def run(*, seed: int = 1, every: int = 1, megabytes: int = 32, parts: int = 500) -> TrialResult:
    """Damage a small checkpoint and a large one.

    Small: change every byte of every file, truncate every file to every shorter length, append bytes.
    Large, of `megabytes`: in every file, change one byte in each of `parts` equal ranges.
    every: of the small checkpoint, try only one in `every` bytes and lengths.
    """
    begin, rng = time.monotonic(), np.random.default_rng(seed)
    small = some_checkpoint(1000)
    large = small._replace(learner={"screens": rng.integers(0, 256, megabytes << 20, np.uint8)})
    tried, failures = Counter(), []
    for kind, checkpoint, damages in (
        ("changed bytes", small, partial(_changed_bytes, every=every)),
        ("truncations and appended bytes", small, partial(_changed_lengths, every=every)),
        (f"changed byte ranges in a checkpoint of {megabytes} MB", large, partial(_one_byte_per_part, parts=parts)),
    ):
        tried[kind], undetected = _damage_all(checkpoint, damages, random.Random(seed))
        failures += [f"{kind}: {failure}" for failure in undetected]
    summary = ", ".join(f"{count:,} {kind}" for kind, count in tried.items())
    seconds = time.monotonic() - begin
    return TrialResult("damaged files of a checkpoint", tried.total(), len(failures), seconds, (summary, *failures))


def _damage_all(
    checkpoint: Checkpoint, damages: Callable[[bytes, random.Random], Iterator[_Damage]], rng: random.Random
) -> tuple[int, list[str]]:
    """The number of damages tried, and descriptions of those that were not reported as such."""
    tried, failures = 0, []
    with tempfile.TemporaryDirectory() as work:
        path = save_checkpoint(Path(work), checkpoint, keep=1)
        for file in sorted(path.iterdir()):
            original = file.read_bytes()
            for damage in damages(original, rng):
                tried += 1
                _replace_tail(file, damage.content, damage.start)
                failure = _load_failure(path)
                failures += [f"{file.name}, {damage.description}: {failure}"] if failure else []
                _replace_tail(file, original[damage.start :], damage.start)
            load_checkpoint(path)
    return tried, failures


def _replace_tail(file: Path, content: bytes, start: int) -> None:
    """Replace the bytes of `file` from `start` to its end by `content`."""
    with file.open("r+b") as opened:
        opened.truncate(start)
        opened.seek(start)
        opened.write(content)


def _load_failure(path: Path) -> str:
    """What the loader did instead of raising CheckpointError; empty if it raised it."""
    try:
        load_checkpoint(path)
    except CheckpointError:
        return ""
    except Exception as error:
        return repr(error)
    return "not detected"


def _changed_bytes(original: bytes, rng: random.Random, every: int) -> Iterator[_Damage]:
    for index in range(rng.randrange(every), len(original), every):
        yield _changed_byte(original, index, rng)


def _one_byte_per_part(original: bytes, rng: random.Random, parts: int) -> Iterator[_Damage]:
    for part in range(min(parts, len(original))):
        start, end = (len(original) * n // min(parts, len(original)) for n in (part, part + 1))
        yield _changed_byte(original, rng.randrange(start, end), rng)


def _changed_byte(original: bytes, index: int, rng: random.Random) -> _Damage:
    value = original[index] ^ rng.randrange(1, 256)
    return _Damage(f"byte {index} set to {value}", index, bytes([value]) + original[index + 1 :])


def _changed_lengths(original: bytes, rng: random.Random, every: int) -> Iterator[_Damage]:
    for length in range(rng.randrange(every), len(original), every):
        yield _Damage(f"truncated to {length} bytes", length, b"")
    for appended in (b"\0", b"\n", b" ", b"{}", rng.randbytes(100), original):
        yield _Damage(f"with {len(appended)} bytes appended", len(original), appended)
