"""What must hold for a run directory after a save, whether it succeeded or was interrupted."""

from collections.abc import Iterator
from pathlib import Path

from chaos.save_scenes import CONFIG, KEEP, Scene, is_same, some_checkpoint
from paac_cli.runs.checkpoint import load_policy
from paac_cli.runs.checkpoint_names import list_checkpoints, list_policies
from paac_cli.runs.find import find_policy
from paac_cli.runs.run_directory import RunDirectory


def failures(scene: Scene, run: Path, succeeded: bool) -> Iterator[str]:
    """Everything that is wrong with `run` after the save of `scene`. Also saves once more, as a resumed run does."""
    warnings: list[str] = []
    try:
        with RunDirectory(run) as directory:
            directory.claim(CONFIG, fresh=False)
            found = directory.latest(CONFIG, warnings.append)
            steps = found.counters.steps if found else None
            if steps not in ({scene.new} if succeeded else scene.allowed_outcomes):
                yield f"resumes at {steps}"
            if found is not None and not is_same(found, some_checkpoint(found.counters.steps)):
                yield "the checkpoint differs from what was saved"
            if found is None and directory.is_run and not warnings:
                yield "starts over without a warning"
            if scene.playable or succeeded:
                _, best = find_policy(run, last=False, warn=warnings.append)
                if best.counters.steps not in {scene.new, *scene.playable}:
                    yield f"the best policy has {best.counters.steps} steps"
            _load_all(scene, directory.checkpoints, succeeded)
            yield from _failures_of_next_save(directory)
    except Exception as error:
        yield f"raises {error!r} afterwards"


def _load_all(scene: Scene, checkpoints: Path, succeeded: bool) -> None:
    """Load all checkpoints. Raises CheckpointError if one was damaged by the save, or the new one is missing."""
    for path in [*list_checkpoints(checkpoints), *list_policies(checkpoints)]:
        if path.name.removesuffix(".replaced") not in scene.damaged_names:
            load_policy(path)
    if succeeded:
        load_policy(checkpoints / f"step_{scene.new:09d}")
        load_policy(checkpoints / f"best_{scene.new:09d}")


def _failures_of_next_save(directory: RunDirectory) -> Iterator[str]:
    directory.create(CONFIG, fresh=False)
    directory.save(some_checkpoint(3000), KEEP, may_be_best=True)
    found = directory.latest(CONFIG, lambda text: None)
    if found is None or found.counters.steps != 3000:
        yield "does not resume from the next save"
    names = sorted(path.name for path in directory.checkpoints.iterdir())
    best, *others = names
    if best != "best_000003000" or others[-1] != "step_000003000" or len(others) > KEEP:
        yield f"the next save leaves {names}"
