"""A save of a checkpoint is killed, refused, torn or cut off from power at every one of its operations.

Whatever happens: the newest valid checkpoint is the old or the new one in full, the best policy can be played, no
half of a checkpoint has the name of one, and the next save works and leaves nothing behind. A run begins at zero
only where nothing was saved, and says so.
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

import numpy as np

from chaos.disk import Fault, Operation, noting, takes_room
from chaos.power import Disk, Luck
from chaos.tally import Tally
from paac_cli.config.load import read_config
from paac_cli.config.presets import find_preset
from paac_cli.errors import PaacError
from paac_cli.runs.checkpoint import Checkpoint, list_checkpoints, list_policies, load_policy
from paac_cli.runs.manifest import Counters
from paac_cli.runs.run_directory import RunDirectory, find_policy

_KEEP = 2
_ERRORS = (errno.ENOSPC, errno.EIO)


class Scene(NamedTuple):
    """What is saved where."""

    name: str
    saved: tuple[int, ...]  #: steps of the checkpoints that stand there before
    new: int  #: steps of the one that is saved
    exists: bool = True  #: the run directory
    damaged: tuple[str, ...] = ()  #: kinds of what is damaged: of the newest of those before
    played_before: tuple[int, ...] = ()  #: steps of the best policy that can be played

    @property
    def outcomes(self) -> set[int | None]:
        """Steps of the newest valid checkpoint, as a save that was cut off may leave it; None: there is none."""
        valid = self.saved[:-1] if self.damaged else self.saved
        return {self.new, max(valid, default=None)}


SCENES = (
    Scene("the first save of a new run", (), 1000, exists=False),
    Scene("the first save", (), 1000),
    Scene("a better one", (500, 1000), 2000, played_before=(1000,)),
    Scene("one in the place of a damaged one", (500, 1000, 2000), 2000, damaged=("step",), played_before=(2000,)),
    Scene("one before a damaged one", (500, 1000, 2000), 1500, damaged=("step", "best"), played_before=(1000,)),
)


def run(*, seed: int = 1, every: int = 1, by_chance: int = 8) -> Tally:
    """Kills, half-done writes, ENOSPC and EIO, once and lasting, at every operation of every scene; and power cuts
    after it, each with the least, the most, and `by_chance` outcomes more. every: only so many-th of these cases.
    """
    begin = time.monotonic()
    kinds: dict[str, _Cases] = {"killed or failed": _fault_cases, "cut off": partial(_cut_cases, by_chance=by_chance)}
    told, losses, tried = [], [], 0
    for kind, cases in kinds.items():
        count, lost = _try(cases, random.Random(seed), every)
        told.append(f"{count:,} {kind}")
        losses += lost
        tried += count
    return Tally(
        "saves of a checkpoint killed, refused, torn or cut off from power at one of their operations",
        tried,
        len(losses),
        time.monotonic() - begin,
        (", ".join(told) + f"; scenes: {', '.join(scene.name for scene in SCENES)}", *losses),
    )


class _Case(NamedTuple):
    """One thing that may happen during a save."""

    told: str
    bring_about: Callable[[Path], "_Outcome"]  #: in a new directory of this name
    always: bool = False  #: it is tried however few are


class _Outcome(NamedTuple):
    run: Path  #: the run directory afterwards
    has_ended: bool = False  #: the save, and well
    wrong: str = ""  #: with how it has ended


_Cases = Callable[[Scene, Path, random.Random], Iterator[_Case]]


def _try(cases: _Cases, rng: random.Random, every: int) -> tuple[int, list[str]]:
    """How many cases there were, and what was lost."""
    tried, losses = 0, []
    memory = Path("/dev/shm")
    for scene in SCENES:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as work:
            for case in cases(scene, Path(work), rng):
                if rng.randrange(every) and not case.always:
                    continue
                tried += 1
                place = Path(work, str(tried))
                outcome = case.bring_about(place)
                wrongs = [outcome.wrong] if outcome.wrong else []
                wrongs += _wrongs(scene, outcome.run, outcome.has_ended)
                losses += [f"{scene.name}, {case.told}: {wrong}" for wrong in wrongs]
                shutil.rmtree(place)
    return tried, losses


def _fault_cases(scene: Scene, work: Path, rng: random.Random) -> Iterator[_Case]:
    for fault, operation in _faults(_operations(scene, work / "noted")):
        told = f"{fault} at {operation.name} {operation.path.name}"
        yield _Case(told, partial(_save_with, scene, fault))


def _faults(operations: list[Operation]) -> Iterator[tuple[Fault, Operation]]:
    for at, operation in enumerate(operations):
        is_write = operation.name == "write"
        kills = [Fault(at), Fault(at, torn=True)] if is_write else [Fault(at)]
        errors = [
            Fault(at, error, torn=is_write, lasting=lasting)
            for error, lasting in itertools.product(_ERRORS, (False, True))
            if error != errno.ENOSPC or takes_room(operation)
        ]
        yield from ((fault, operation) for fault in [*kills, *errors])


def _cut_cases(scene: Scene, work: Path, rng: random.Random, by_chance: int) -> Iterator[_Case]:
    run = _prepare(scene, work / "noted")
    disk = Disk(run.parent)
    with noting(run.parent) as operations:
        _save(scene, run)
    lucks: dict[str, Luck] = {"the least": lambda: False, "the most": lambda: True}
    lucks |= {f"by chance {number}": lambda: rng.random() < 0.5 for number in range(by_chance)}
    for count in range(len(operations) + 1):
        for name, luck in lucks.items():
            told = f"cut after {count} of {len(operations)}, {name} is left"
            has_ended = count == len(operations)
            yield _Case(told, partial(_cut, disk, luck, rng, has_ended), always=has_ended)
        disk.do(operations[count : count + 1])


def _cut(disk: Disk, luck: Luck, rng: random.Random, has_ended: bool, place: Path) -> _Outcome:
    disk.cut(place, luck, rng)
    return _Outcome(place / "run", has_ended)


def _prepare(scene: Scene, place: Path) -> Path:
    """The run directory of `scene`, in the new directory `place`."""
    place.mkdir()
    run = place / "run"
    if not scene.exists:
        return run
    with RunDirectory(run) as directory:
        directory.create(_CONFIG, fresh=False)
        for steps in scene.saved:
            directory.save(some_checkpoint(steps), keep=len(scene.saved))
    for kind in scene.damaged:
        file = directory.checkpoints / f"{kind}_{scene.saved[-1]:09d}" / "policy.safetensors"
        file.write_bytes(file.read_bytes()[:-1])
    return run


def _operations(scene: Scene, place: Path) -> list[Operation]:
    run = _prepare(scene, place)
    with noting(place) as operations:
        _save(scene, run)
    return operations


def _save(scene: Scene, run: Path) -> None:
    with RunDirectory(run) as directory:
        directory.claim(_CONFIG, fresh=False)
        if not scene.exists:
            directory.create(_CONFIG, fresh=False)
        directory.save(some_checkpoint(scene.new), _KEEP)


def _save_with(scene: Scene, fault: Fault, place: Path) -> _Outcome:
    """Save while `fault` happens; in a child where that is a kill."""
    run = _prepare(scene, place)
    child = os.fork() if fault.error is None else None
    if child:
        _, status = os.waitpid(child, 0)
        return _Outcome(run, wrong="" if os.WIFSIGNALED(status) else "nothing has killed it")
    try:
        with noting(place, fault):
            _save(scene, run)
    except PaacError:
        return _Outcome(run)
    except Exception as error:
        return _Outcome(run, wrong=f"ended in {error!r}")
    finally:
        if child == 0:
            os._exit(1)
    return _Outcome(run, has_ended=True)


def _wrongs(scene: Scene, run: Path, has_ended: bool) -> Iterator[str]:
    """What is wrong with the run directory after all this."""
    said: list[str] = []
    try:
        with RunDirectory(run) as directory:
            directory.claim(_CONFIG, fresh=False)
            found = directory.latest(_CONFIG, said.append)
            steps = found.counters.steps if found else None
            if steps not in ({scene.new} if has_ended else scene.outcomes):
                yield f"goes on at {steps}"
            if found is not None and not _same(found, some_checkpoint(found.counters.steps)):
                yield "holds something else than was saved"
            if found is None and directory.is_run and not said:
                yield "starts over in silence"
            if scene.played_before or has_ended:
                _, best = find_policy(run, last=False, warn=said.append)
                if best.counters.steps not in {scene.new, *scene.played_before}:
                    yield f"holds {best.counters.steps} as its best"
            _load_all(scene, directory.checkpoints, has_ended)
            yield from _wrongs_of_the_next(directory)
    except Exception as error:
        yield f"then {error!r}"


def _load_all(scene: Scene, checkpoints: Path, has_ended: bool) -> None:
    """Raises CheckpointError where one that was not damaged before is so now, or the new one is not there."""
    damaged_before = {f"{kind}_{scene.saved[-1]:09d}" for kind in scene.damaged}
    for path in [*list_checkpoints(checkpoints), *list_policies(checkpoints)]:
        if path.name.removesuffix(".replaced") not in damaged_before:
            load_policy(path)
    if has_ended:
        load_policy(checkpoints / f"step_{scene.new:09d}")
        load_policy(checkpoints / f"best_{scene.new:09d}")


def _wrongs_of_the_next(directory: RunDirectory) -> Iterator[str]:
    directory.create(_CONFIG, fresh=False)
    directory.save(some_checkpoint(3000), _KEEP)
    found = directory.latest(_CONFIG, lambda text: None)
    if found is None or found.counters.steps != 3000:
        yield "does not go on from the next save"
    names = sorted(path.name for path in directory.checkpoints.iterdir())
    best, *others = names
    if best != "best_000003000" or others[-1] != "step_000003000" or len(others) > _KEEP:
        yield f"the next save leaves {names}"


_CONFIG = read_config(find_preset("cartpole"), {"sampling.num_envs": 3})


def some_checkpoint(steps: int) -> Checkpoint:
    """A small one, better than those of fewer steps."""
    rng = np.random.default_rng(steps)
    return Checkpoint(
        config=_CONFIG,
        counters=Counters(steps=steps, updates=steps // 10, episodes=3, seconds=1.5),
        score=steps / 100,
        policy={"policy/kernel": rng.normal(size=(4, 2)).astype(np.float32)},
        learner={"steps": np.array(steps, np.int64)},
        sampling={"episode": np.arange(3), "length": np.array([2, 0, 1]), "actions": np.array([1, 0, 1], np.int32)},
        progress={"scores": np.array([1.0, 2.0]), "lengths": np.array([10, 20])},
    )


def _same(one: Checkpoint, other: Checkpoint) -> bool:
    return one[:3] == other[:3] and all(
        ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)
        for ours, theirs in zip(one[3:], other[3:], strict=True)
    )
