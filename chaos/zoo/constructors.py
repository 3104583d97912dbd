"""Environments whose constructor fails, hangs, or takes much."""

import ctypes
import faulthandler
import os
import time

import numpy as np

from chaos.zoo.case import Outcome, ends_well, fails
from chaos.zoo.toy import Toy, case


@case(fails(2, "cannot be made", "no licence"))
class RaisesInConstructor(Toy):
    """Raises in its constructor."""

    error: BaseException = ValueError("no licence")

    def construct(self) -> None:
        raise self.error


@case(Outcome((1, 2), ("exit",), lines=14))
class ExitsInConstructor(RaisesInConstructor):
    """Calls sys.exit in its constructor."""

    error = SystemExit(3)


@case(Outcome((1, 2), ("KeyboardInterrupt",), lines=14))
class InterruptsInConstructor(RaisesInConstructor):
    """Raises KeyboardInterrupt in its constructor."""

    error = KeyboardInterrupt()


class _Unprintable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no text")


@case(fails(2, "cannot be made", "_Unprintable"))
class RaisesUnprintable(RaisesInConstructor):
    """Raises an exception whose text cannot be made."""

    error = _Unprintable()


@case(fails(2, "cannot be made", "long"))
class RaisesHugeTextInConstructor(RaisesInConstructor):
    """Raises an exception with a megabyte of text in its constructor."""

    error = ValueError("long\n" * 200_000)


@case(fails(2, "cannot be made", "red"))
class RaisesEscapes(RaisesInConstructor):
    """Raises an exception with codes for the terminal in its text."""

    error = ValueError("\x1b[31mred\x1b[0m \x07\r")


@case(fails(2, "cannot be made", "recursion"))
class RecursesInConstructor(Toy):
    """Recurses without end in its constructor."""

    def construct(self) -> None:
        self.construct()


@case(fails(2, "cannot be made", "allocate"))
class AllocatesTooMuch(Toy):
    """Asks for more memory than there is."""

    def construct(self) -> None:
        self.map = np.ones(10**15)


@case(ends_well())
class AllocatesMuch(Toy):
    """Allocates 300 MB."""

    def construct(self) -> None:
        self.map = np.ones(300_000_000, np.uint8)


@case(Outcome((1, 2), ("exit code 3",)))
class OsExitsInConstructor(Toy):
    """Calls os._exit in its constructor."""

    def construct(self) -> None:
        os._exit(3)


@case(Outcome((1, 2), ("SIGSEGV",)))
class CrashesInConstructor(Toy):
    """Crashes in its constructor."""

    def construct(self) -> None:
        faulthandler.disable()
        ctypes.string_at(0)


@case(Outcome((1, 2), ("hung for 2 s", "sampling.worker_timeout")), "train --set sampling.worker_timeout=2")
class HangsInConstructor(Toy):
    """Hangs in its constructor."""

    def construct(self) -> None:
        time.sleep(10_000)


@case(ends_well())
class StartsSlowly(Toy):
    """Needs two seconds for its constructor."""

    def construct(self) -> None:
        time.sleep(2)


@case(fails(2, "cannot be made", "EOF"), "mkfifo pipe; train 0<>pipe")
class ReadsStandardInput(Toy):
    """Asks a question on standard input, where nobody answers."""

    def construct(self) -> None:
        input("Which level? ")


@case(ends_well())
class ImportsTensorflow(Toy):
    """Imports TensorFlow and uses it."""

    def construct(self) -> None:
        import tensorflow

        assert tensorflow.reduce_sum([1.0, 2.0]).numpy() == 3.0
