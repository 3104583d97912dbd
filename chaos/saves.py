"""Interrupts the save of a checkpoint at each of its file operations: by a kill, an error or a power cut.

Afterwards the newest valid checkpoint must be the old one or the new one, and complete; the best policy must be
playable; no incomplete checkpoint may have the name of a checkpoint; the next save must work and leave nothing else
behind. A run may start over only if nothing was saved, and it must warn.
"""

import errno
import itertools
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from chaos.disk_faults import Fault, Operation, needs_space, record_operations
from chaos.power_cut import SimulatedDisk, Survives
from chaos.result import TrialResult
from chaos.save_checks import failures
from chaos.save_scenes import SCENES, Scene, prepare, save
from paac_cli.errors import PaacError

_ERRORS = (errno.ENOSPC, errno.EIO)


def run(*, seed: int = 1, every: int = 1, random_cuts: int = 8) -> TrialResult:
    """Interrupt the save of every scene at every operation.

    Faults: a kill before an operation, a kill in the middle of a write, and the errors ENOSPC and EIO, each once and
    lasting. Power cuts: nothing unsynced survives, everything survives, and `random_cuts` random outcomes.
    every: try only about one in `every` of these cases.
    """
    begin = time.monotonic()
    kinds: dict[str, _Cases] = {
        "kills and errors": _fault_cases,
        "power cuts": partial(_power_cut_cases, random_cuts=random_cuts),
    }
    counts, found, tried = [], [], 0
    for kind, cases in kinds.items():
        count, failed = _try_cases(cases, random.Random(seed), every)
        counts.append(f"{count:,} {kind}")
        found += failed
        tried += count
    return TrialResult(
        "saves of a checkpoint, each interrupted at one file operation by a kill, an error or a power cut",
        tried,
        len(found),
        time.monotonic() - begin,
        (f"{', '.join(counts)}; scenes: {', '.join(scene.name for scene in SCENES)}", *found),
    )


class _Case(NamedTuple):
    """One way to interrupt a save."""

    description: str
    execute: Callable[[Path], "_Outcome"]  #: in a new directory with this path
    always: bool = False  #: whether it is tried even if other cases are left out


class _Outcome(NamedTuple):
    run: Path  #: the run directory afterwards
    succeeded: bool = False  #: whether the save ended without an error
    failure: str = ""  #: how the save itself failed in a forbidden way, if it did


_Cases = Callable[[Scene, Path, random.Random], Iterator[_Case]]


def _try_cases(cases: _Cases, rng: random.Random, every: int) -> tuple[int, list[str]]:
    """The number of cases tried, and descriptions of all failures."""
    tried, found = 0, []
    memory = Path("/dev/shm")
    for scene in SCENES:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as work:
            for case in cases(scene, Path(work), rng):
                if rng.randrange(every) and not case.always:
                    continue
                tried += 1
                directory = Path(work, str(tried))
                outcome = case.execute(directory)
                failed = [outcome.failure] if outcome.failure else []
                failed += failures(scene, outcome.run, outcome.succeeded)
                found += [f"{scene.name}, {case.description}: {failure}" for failure in failed]
                shutil.rmtree(directory)
    return tried, found


def _fault_cases(scene: Scene, work: Path, rng: random.Random) -> Iterator[_Case]:
    run = prepare(scene, work / "recorded")
    with record_operations(run.parent) as operations:
        save(scene, run)
    for fault, operation in _faults(operations):
        description = f"{fault} at {operation.name} {operation.path.name}"
        yield _Case(description, partial(_save_with_fault, scene, fault))


def _faults(operations: list[Operation]) -> Iterator[tuple[Fault, Operation]]:
    for at, operation in enumerate(operations):
        is_write = operation.name == "write"
        kills = [Fault(at), Fault(at, half_written=True)] if is_write else [Fault(at)]
        errors = [
            Fault(at, error, half_written=is_write, lasting=lasting)
            for error, lasting in itertools.product(_ERRORS, (False, True))
            if error != errno.ENOSPC or needs_space(operation)
        ]
        yield from ((fault, operation) for fault in [*kills, *errors])


def _save_with_fault(scene: Scene, fault: Fault, directory: Path) -> _Outcome:
    """Save with `fault` injected; in a child process if the fault kills it."""
    run = prepare(scene, directory)
    child = os.fork() if fault.error is None else None
    if child:
        _, status = os.waitpid(child, 0)
        return _Outcome(run, failure="" if os.WIFSIGNALED(status) else "the process was not killed")
    try:
        with record_operations(directory, fault):
            save(scene, run)
    except PaacError:
        return _Outcome(run)
    except Exception as error:
        return _Outcome(run, failure=f"raised {error!r}")
    finally:
        if child == 0:
            os._exit(1)
    return _Outcome(run, succeeded=True)


def _power_cut_cases(scene: Scene, work: Path, rng: random.Random, random_cuts: int) -> Iterator[_Case]:
    run = prepare(scene, work / "recorded")
    disk = SimulatedDisk(run.parent)
    with record_operations(run.parent) as operations:
        save(scene, run)
    outcomes: dict[str, Survives] = {"nothing unsynced survives": lambda: False, "everything survives": lambda: True}
    outcomes |= {f"random outcome {number}": lambda: rng.random() < 0.5 for number in range(random_cuts)}
    for count in range(len(operations) + 1):
        for name, survives in outcomes.items():
            description = f"power cut after {count} of {len(operations)} operations, {name}"
            succeeded = count == len(operations)
            yield _Case(description, partial(_cut_power, disk, survives, rng, succeeded), always=succeeded)
        disk.replay(operations[count : count + 1])


def _cut_power(
    disk: SimulatedDisk, survives: Survives, rng: random.Random, succeeded: bool, directory: Path
) -> _Outcome:
    disk.write_after_cut(directory, survives, rng)
    return _Outcome(directory / "run", succeeded)
