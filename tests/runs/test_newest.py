"""Reading the newest checkpoint while another process saves, and deletes the one that is being read."""

import errno
import mmap
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from chaos.save_scenes import some_checkpoint
from paac_cli.config.load import to_yaml
from paac_cli.errors import CheckpointError, UnreadableCheckpointError
from paac_cli.runs import find
from paac_cli.runs.checkpoint import load_checkpoint, save_checkpoint
from paac_cli.runs.checkpoint_names import list_checkpoints
from paac_cli.runs.newest import load_newest
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.training.verification import find_interval
from run_paac import running

SAVE = """if True:
    import itertools, sys
    from pathlib import Path
    from chaos.save_scenes import some_checkpoint
    from paac_cli.runs.checkpoint import save_checkpoint, save_if_best
    directory, checkpoint = Path(sys.argv[1]), some_checkpoint(1)
    for number in itertools.count():
        steps = 1 + number // 3  # two of three replace a checkpoint of the same step
        counters = checkpoint.counters.model_copy(update={"steps": steps})
        new = checkpoint._replace(counters=counters, score=float(steps))
        save_if_best(directory, new)
        save_checkpoint(directory, new, keep=1)"""


@pytest.fixture
def saving_run():
    """A run directory in memory in which a process saves as fast as it can, keeping one checkpoint."""
    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        run = Path(directory) / "run"
        run.mkdir()
        (run / "config.yaml").write_text(to_yaml(some_checkpoint(1).config))
        with running(sys.executable, "-c", SAVE, run / "checkpoints", cwd=root) as process:
            while not list_checkpoints(run / "checkpoints"):
                assert process.poll() is None
                time.sleep(0.01)
            yield run
            assert process.poll() is None


def no_warning(text):
    pytest.fail(f"warned: {text}")


def test_a_reader_always_finds_a_checkpoint_while_another_process_saves(saving_run):
    readers = [
        lambda: find.find_policy(saving_run, last=False, warn=no_warning),
        lambda: find.find_policy(saving_run, last=True, warn=no_warning),
        lambda: RunDirectory(saving_run).latest(some_checkpoint(1).config, no_warning),
        lambda: find.newest_run(saving_run.parent),
    ]
    reads, end = 0, time.monotonic() + 5
    while time.monotonic() < end or reads <= 500:  # also on a machine that is busy with other work
        for read in readers:
            assert read() is not None
        reads += len(readers)
    find_interval(saving_run, from_start=True, trusted=(), warn=no_warning)


@pytest.mark.parametrize("what", ["load_policy", "load_policy_arrays"])
def test_policies_that_are_deleted_while_others_are_loaded_are_not_reported_as_damaged(what, tmp_path, monkeypatch):
    directory, load, steps_left = tmp_path / "checkpoints", getattr(find, what), iter([4, 5])
    for steps in (1, 2, 3):
        save_checkpoint(directory, some_checkpoint(steps), keep=3)

    def load_while_another_is_saved(*arguments, **options):
        loaded = load(*arguments, **options)
        for steps in steps_left:
            save_checkpoint(directory, some_checkpoint(steps), keep=3)
        return loaded

    monkeypatch.setattr(find, what, load_while_another_is_saved)
    if what == "load_policy":
        found = find.find_progress(tmp_path, warn=no_warning)
        assert [policy.counters.steps for policy in found] == [3, 4, 5]
    else:
        found = find.find_policy_arrays(tmp_path, no_warning)
        assert [policy.sha256 for policy in found] == [
            find.load_policy_arrays(path).sha256 for path in list_checkpoints(directory)
        ]


def test_the_last_two_checkpoints_are_found_if_two_are_kept(tmp_path):
    for steps in (1, 2, 3):
        save_checkpoint(tmp_path, some_checkpoint(steps), keep=2)
    found = load_newest(lambda: list_checkpoints(tmp_path), load_checkpoint, no_warning, count=2)
    assert [checkpoint.counters.steps for _, checkpoint in found] == [3, 2]


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EMFILE, errno.EIO])
def test_a_checkpoint_that_cannot_be_read_at_present_is_not_taken_for_damaged(number, tmp_path, monkeypatch):
    """Otherwise the run would resume from an older one, and delete it."""
    for steps in (1, 2):
        save_checkpoint(tmp_path, some_checkpoint(steps), keep=2)
    newest = list_checkpoints(tmp_path)[0]
    real = mmap.mmap

    def fail(descriptor, *arguments, **options):
        if newest in Path(f"/proc/self/fd/{descriptor}").readlink().parents:
            raise OSError(number, os.strerror(number))
        return real(descriptor, *arguments, **options)

    monkeypatch.setattr(mmap, "mmap", fail)
    with pytest.raises(UnreadableCheckpointError, match=f"{newest.name} cannot be read at present"):
        load_newest(lambda: list_checkpoints(tmp_path), load_checkpoint, no_warning)


def test_a_damaged_checkpoint_that_stays_is_reported_once(tmp_path):
    for steps in (1, 2):
        save_checkpoint(tmp_path, some_checkpoint(steps), keep=2)
    (tmp_path / "step_000000002" / "policy.safetensors").write_bytes(b"")
    warnings = []
    ((path, _),) = load_newest(lambda: list_checkpoints(tmp_path), load_checkpoint, warnings.append)
    assert path.name == "step_000000001"
    assert len(warnings) == 1


def test_no_checkpoint_is_found_where_there_is_none_and_that_takes_no_time(tmp_path):
    start = time.monotonic()
    assert load_newest(lambda: list_checkpoints(tmp_path), load_checkpoint, no_warning) == []
    with pytest.raises(CheckpointError, match="no run with a checkpoint"):
        find.newest_run(tmp_path)
    assert time.monotonic() - start < 1


def test_a_directory_that_changes_all_the_time_does_not_keep_a_reader(tmp_path):
    """Its checkpoints are damaged, and each reading finds others."""
    count = 0

    def list_paths():
        nonlocal count
        count += 1
        path = tmp_path / f"step_{count:09d}"
        path.mkdir()
        return [path]

    warnings = []
    assert load_newest(list_paths, load_checkpoint, warnings.append) == []
    assert count < 1_000


def test_the_newest_run_is_found_also_behind_a_link(tmp_path):
    for name, steps in (("runs/old", 1), ("elsewhere", 2), ("runs/group/older", 3)):
        (tmp_path / name).mkdir(parents=True)
        save_checkpoint(tmp_path / name / "checkpoints", some_checkpoint(steps), keep=1)
        time.sleep(0.01)
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "elsewhere")
    assert find.newest_run(tmp_path / "runs") == tmp_path / "runs" / "group" / "older"
    shutil.rmtree(tmp_path / "runs" / "group")
    assert find.newest_run(tmp_path / "runs") == tmp_path / "runs" / "link"
