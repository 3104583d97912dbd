"""A byte of a checkpoint is flipped, its files are cut short or grow a tail: each is found, whatever it hits."""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chaos.saves import some_checkpoint
from chaos.tally import Tally
from paac_cli.errors import CheckpointError
from paac_cli.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


class _Damage(NamedTuple):
    told: str
    at: int  #: from there on
    content: bytes  #: this is in the file


def run(*, seed: int = 1, every: int = 1, megabytes: int = 32, parts: int = 500) -> Tally:
    """Every byte of the files of a small checkpoint changed, every shorter length of them, and tails; and of the files
    of one of so many `megabytes` a byte in each of `parts` equal ranges. every: only so many-th byte and length.
    """
    begin, rng = time.monotonic(), np.random.default_rng(seed)
    small = some_checkpoint(1000)
    large = small._replace(learner={"screens": rng.integers(0, 256, megabytes << 20, np.uint8)})
    tried, losses = Counter(), []
    for what, checkpoint, damages in (
        ("bytes flipped", small, partial(_flips, every=every)),
        ("cuts and tails", small, partial(_cuts, every=every)),
        (f"byte ranges of a checkpoint of {megabytes} MB", large, partial(_one_of_each, parts=parts)),
    ):
        tried[what], lost = _damage(checkpoint, damages, random.Random(seed))
        losses += [f"{what}: {loss}" for loss in lost]
    told = ", ".join(f"{count:,} {what}" for what, count in tried.items())
    return Tally(
        "damages of a checkpoint's files", tried.total(), len(losses), time.monotonic() - begin, (told, *losses)
    )


def _damage(
    checkpoint: Checkpoint, damages: Callable[[bytes, random.Random], Iterator[_Damage]], rng: random.Random
) -> tuple[int, list[str]]:
    """How many damages there were, and which of them were not found."""
    tried, losses = 0, []
    with tempfile.TemporaryDirectory() as work:
        path = save_checkpoint(Path(work), checkpoint, keep=1)
        for file in sorted(path.iterdir()):
            whole = file.read_bytes()
            for damage in damages(whole, rng):
                tried += 1
                _put(file, damage.content, damage.at)
                wrong = _wrong(path)
                losses += [f"{file.name}, {damage.told}: {wrong}"] if wrong else []
                _put(file, whole[damage.at :], damage.at)
            load_checkpoint(path)
    return tried, losses


def _put(file: Path, content: bytes, at: int) -> None:
    """Let `content` stand from `at` to the end of the file."""
    with file.open("r+b") as opened:
        opened.truncate(at)
        opened.seek(at)
        opened.write(content)


def _wrong(path: Path) -> str:
    try:
        load_checkpoint(path)
    except CheckpointError:
        return ""
    except Exception as error:
        return repr(error)
    return "not found"


def _flips(whole: bytes, rng: random.Random, every: int) -> Iterator[_Damage]:
    for place in range(rng.randrange(every), len(whole), every):
        yield _flip(whole, place, rng)


def _one_of_each(whole: bytes, rng: random.Random, parts: int) -> Iterator[_Damage]:
    for part in range(min(parts, len(whole))):
        start, end = (len(whole) * n // min(parts, len(whole)) for n in (part, part + 1))
        yield _flip(whole, rng.randrange(start, end), rng)


def _flip(whole: bytes, place: int, rng: random.Random) -> _Damage:
    other = whole[place] ^ rng.randrange(1, 256)
    return _Damage(f"byte {place} is {other}", place, bytes([other]) + whole[place + 1 :])


def _cuts(whole: bytes, rng: random.Random, every: int) -> Iterator[_Damage]:
    for length in range(rng.randrange(every), len(whole), every):
        yield _Damage(f"cut to {length}", length, b"")
    for tail in (b"\0", b"\n", b" ", b"{}", rng.randbytes(100), whole):
        yield _Damage(f"with a tail of {len(tail)}", len(whole), tail)
