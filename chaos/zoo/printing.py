"""Environments that print, warn and close."""

import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from chaos.zoo.case import Outcome, ends_well
from chaos.zoo.toy import Toy, case

_JSON = "train >/dev/null 2>&1 && play --json 2>/dev/null | python -c 'import json, sys; json.loads(sys.stdin.read())'"


@case(ends_well(), _JSON)
class Prints(Toy):
    """Prints in its constructor and in every step; `paac eval --json` must print JSON and nothing else."""

    def construct(self) -> None:
        print("Simulator 1.0", flush=True)
        os.write(1, b"Simulator 1.0, by C code\n")

    def step(self, action: Any) -> Any:
        print("a step", flush=True)
        return super().step(action)


@case(ends_well(), "train 2>log | true; test ${PIPESTATUS[0]} = 0 && test -d run/checkpoints")
class PrintsWithoutReader(Prints):
    """Prints, and the reader of standard output has ended."""


@case(ends_well(), "train 2>/dev/null >/dev/full; test -d run/checkpoints")
class PrintsToFullDisk(Prints):
    """Prints, and standard output is a full disk."""


@case(ends_well(), "train >out 2>&1 && test $(wc -c <out) -lt 200000000")
class FloodsOutput(Toy):
    """Prints 100 KB in every step."""

    def step(self, action: Any) -> Any:
        print("x" * 100_000, flush=True)
        return super().step(action)


@case(ends_well(), "train >out 2>&1 && test $(wc -l <out) -lt 2000")
class FloodsWarnings(Toy):
    """Warns a hundred times in every step."""

    def step(self, action: Any) -> Any:
        for _ in range(100):
            warnings.warn("the ball is slow", stacklevel=1)
        return super().step(action)


@case(ends_well(), "train 2>&1 | tail -c 3000 | iconv -f utf-8 >/dev/null; train | tail -1 | cut -c1-100")
class PrintsEscapes(Toy):
    """Prints codes for the terminal and bytes that are not UTF-8; they do not reach standard output."""

    def construct(self) -> None:
        os.write(1, b"\x1b[2J\xff\xfe\x00")


@case(ends_well("close", "no more licences"))
class RaisesInClose(Toy):
    """Raises in close()."""

    def close(self) -> None:
        raise ValueError("no more licences")


@case(ends_well("close"))
class ExitsInClose(Toy):
    """Calls sys.exit in close()."""

    def close(self) -> None:
        sys.exit(7)


@case(ends_well(), "train && play")
class OsExitsInClose(Toy):
    """Calls os._exit in close()."""

    def close(self) -> None:
        os._exit(7)


@case(ends_well("close"))
class HangsInClose(Toy):
    """Hangs in close()."""

    def close(self) -> None:
        time.sleep(10_000)


@case(ends_well(), "train --num-workers 1 && test -e closed-by-the-second")
class HangsInFirstClose(Toy):
    """Hangs in the first close() of a worker; the next environment's is called all the same."""

    closed = False

    def close(self) -> None:
        if HangsInFirstClose.closed:
            Path("closed-by-the-second").touch()
        HangsInFirstClose.closed = True
        time.sleep(10_000)


@case(ends_well(), "train --num-workers 1 && test $(ls | grep -c closed) = 2")
class ClosesSlowly(Toy):
    """Saves its replay in close(), which takes seven seconds."""

    def close(self) -> None:
        time.sleep(7)
        Path(f"closed-{id(self)}").touch()


@case(Outcome((130,)), "train_until INT")
class HangsInCloseAfterStop(HangsInClose):
    """Hangs in close() after Ctrl-C."""
