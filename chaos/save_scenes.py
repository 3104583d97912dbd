"""Run directories in different states, in which a checkpoint is saved, and checkpoints for them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from paac_cli.config.load import read_config
from paac_cli.config.presets import find_preset
from paac_cli.runs.checkpoint import Checkpoint
from paac_cli.runs.manifest import Counters
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.runs.runtime import Runtime

KEEP = 2  #: number of checkpoints that a save keeps
CONFIG = read_config(find_preset("cartpole"), {"sampling.num_envs": 3})
_RUNTIME = Runtime(
    python="3.11.7",
    versions={"numpy": "2.4.6"},
    processor="a processor",
    cores=2,
    device="CPU",
    deterministic=True,
    tensorflow_threads="as cores",
    xla_flags="",
    onednn="by default",
)


class Scene(NamedTuple):
    """The state of a run directory before a save, and the checkpoint that is saved in it."""

    name: str
    saved: tuple[int, ...]  #: steps of the checkpoints that exist before the save
    new: int  #: steps of the checkpoint that is saved
    exists: bool = True  #: whether the run directory exists before the save
    damaged: tuple[str, ...] = ()  #: kinds of checkpoints ("step", "best") of which the newest is damaged
    playable: tuple[int, ...] = ()  #: steps that the best valid policy may have before the save

    @property
    def allowed_outcomes(self) -> set[int | None]:
        """Steps that the newest valid checkpoint may have after an interrupted save; None: there is no checkpoint."""
        valid = self.saved[:-1] if self.damaged else self.saved
        return {self.new, max(valid, default=None)}

    @property
    def damaged_names(self) -> set[str]:
        """Names of the checkpoints that are damaged before the save."""
        return {f"{kind}_{self.saved[-1]:09d}" for kind in self.damaged}


SCENES = (
    Scene("the first save of a new run", (), 1000, exists=False),
    Scene("the first save in an existing directory", (), 1000),
    Scene("a new best checkpoint", (500, 1000), 2000, playable=(1000,)),
    Scene("replacing a damaged checkpoint", (500, 1000, 2000), 2000, damaged=("step",), playable=(2000,)),
    Scene("before a damaged checkpoint", (500, 1000, 2000), 1500, damaged=("step", "best"), playable=(1000,)),
)


def prepare(scene: Scene, parent: Path) -> Path:
    """Create the run directory of `scene` in the new directory `parent`; returns its path."""
    parent.mkdir()
    run = parent / "run"
    if not scene.exists:
        return run
    with RunDirectory(run) as directory:
        directory.create(CONFIG, fresh=False)
        for steps in scene.saved:
            directory.save(some_checkpoint(steps), keep=len(scene.saved), may_be_best=True)
    for name in scene.damaged_names:
        file = directory.checkpoints / name / "policy.safetensors"
        file.write_bytes(file.read_bytes()[:-1])
    return run


def save(scene: Scene, run: Path) -> None:
    """Save the new checkpoint of `scene`, as training does. Raises PaacError."""
    with RunDirectory(run) as directory:
        directory.claim(CONFIG, fresh=False)
        if not scene.exists:
            directory.create(CONFIG, fresh=False)
        directory.save(some_checkpoint(scene.new), KEEP, may_be_best=True)


def some_checkpoint(steps: int) -> Checkpoint:
    """A small checkpoint. Its score is higher than that of every checkpoint with fewer steps."""
    rng = np.random.default_rng(steps)
    return Checkpoint(
        config=CONFIG,
        counters=Counters(steps=steps, updates=steps // 10, episodes=3, seconds=1.5),
        score=steps / 100,
        policy={"policy/kernel": rng.normal(size=(4, 2)).astype(np.float32)},
        learner={"steps": np.array(steps, np.int64)},
        sampling={
            "episode": np.arange(3),
            "length": np.array([2, 0, 1]),
            "actions": np.array([1, 0, 1], np.int32),
            "reward_sum": np.array([2.0, 0.0, 1.0]),
            "obs_digest": np.array([3, 5, 7], np.uint64),
        },
        progress={"scores": np.array([1.0, 2.0]), "lengths": np.array([10, 20])},
        runtime=_RUNTIME,
    )


def is_same(first: Checkpoint, second: Checkpoint) -> bool:
    """Whether two checkpoints are equal in every field and every array."""
    return all(_is_same_field(*fields) for fields in zip(first, second, strict=True))


def _is_same_field(first: object, second: object) -> bool:
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)
    return first == second
