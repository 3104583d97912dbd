"""Two processes in one run directory, and directories that disappear or are links."""

import errno
import fcntl
import os
import shutil
import threading
from pathlib import Path

import pytest

from checkpoints import cartpole_config, checkpoint_of
from paac_cli.errors import ConfigError, RunDirectoryError
from paac_cli.runs.directory_lock import is_locked
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.runs.run_record import RunRecord, Status, read_record, write_record
from paac_cli.runs.saved_run import RETURN, SavedRun, read_runs


@pytest.mark.parametrize("fresh", [False, True])
def test_the_second_of_two_new_runs_in_one_directory_is_refused(fresh, tmp_path):
    """Both claimed a directory that did not exist; one has finished training while the other was still loading."""
    config = cartpole_config()
    with RunDirectory(tmp_path / "run") as slow:
        slow.claim(config, fresh=fresh)
        with RunDirectory(tmp_path / "run") as quick:
            quick.claim(config, fresh=False)
            quick.create(config, fresh=False)
            quick.save(checkpoint_of(100), keep=1, may_be_best=True)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(RunDirectoryError, match="another process has begun a run in"):
            slow.create(config, fresh=fresh)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("loss", [lambda run: run.rename(run.with_name("moved")), shutil.rmtree])
def test_a_directory_that_was_moved_or_deleted_is_not_made_again(loss, tmp_path):
    with RunDirectory(tmp_path / "run") as run:
        run.claim(cartpole_config(), fresh=False)
        run.create(cartpole_config(), fresh=False)
        loss(tmp_path / "run")
        with pytest.raises(RunDirectoryError, match="was moved or deleted during training"):
            run.save(checkpoint_of(100), keep=1, may_be_best=True)
    assert not (tmp_path / "run").exists()


def test_a_config_that_could_not_be_read_again_begins_no_run(tmp_path):
    config = cartpole_config().with_settings("env", kwargs={"numbers": list(range(3_990))})
    with RunDirectory(tmp_path / "run") as run:
        run.claim(config, fresh=False)
        with pytest.raises(ConfigError, match=r"the config with all defaults.*more than 4,000 values"):
            run.create(config, fresh=False)
    assert not (tmp_path / "run").exists()


def test_fresh_keeps_a_symbolic_link_and_renames_its_target(tmp_path):
    """The link may lead to another disk."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    link.symlink_to(target)
    for fresh in (False, True):
        with RunDirectory(link) as run:
            run.claim(cartpole_config(), fresh=fresh)
            run.create(cartpole_config(), fresh=fresh)
    assert link.is_symlink()
    assert (target / "config.yaml").exists()
    assert (tmp_path / "target.old-1" / "config.yaml").exists()


def begun(path):
    """A run that holds the lock of its directory."""
    run = RunDirectory(path)
    run.claim(cartpole_config(), fresh=False)
    run.create(cartpole_config(), fresh=False)
    return run


# --- the lock


def test_files_may_be_deleted_from_a_directory_in_use(tmp_path):
    """The lock is on the directory, not on a file in it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()  # of an earlier version
    with begun(tmp_path / "run") as run:
        for path in (tmp_path / "run").iterdir():
            path.unlink()
        with RunDirectory(tmp_path / "run") as other:
            other.claim(cartpole_config(), fresh=False)  # it is empty, so it could become a new run
            with pytest.raises(RunDirectoryError, match="another process is training in"):
                other.create(cartpole_config(), fresh=False)
        run.save(checkpoint_of(100), keep=1, may_be_best=True)
    assert (tmp_path / "run" / "checkpoints" / "step_000000100").exists()


def test_a_lock_file_of_an_earlier_version_does_not_count(tmp_path):
    with begun(tmp_path / "run"):
        pass
    descriptor = os.open(tmp_path / "run" / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with begun(tmp_path / "run") as run:
        run.save(checkpoint_of(100), keep=1, may_be_best=True)
    os.close(descriptor)


def test_a_directory_that_was_replaced_by_another_is_not_written_to(tmp_path):
    with begun(tmp_path / "run") as run:
        (tmp_path / "run").rename(tmp_path / "moved")
        shutil.copytree(tmp_path / "moved", tmp_path / "run")
        with pytest.raises(RunDirectoryError, match="was moved or deleted during training"):
            run.save(checkpoint_of(100), keep=1, may_be_best=True)
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize("error", [errno.EBADF, errno.EINVAL, errno.ENOLCK])
def test_where_directories_cannot_be_locked_a_file_is(error, tmp_path, monkeypatch):
    """As on NFS."""
    lock = fcntl.flock

    def lock_files_only(descriptor, operation):
        if Path(f"/proc/self/fd/{descriptor}").is_dir() and operation & fcntl.LOCK_EX:  # which needs to write
            raise OSError(error, os.strerror(error))
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_files_only)
    with begun(tmp_path / "run") as run, RunDirectory(tmp_path / "run") as other:
        with pytest.raises(RunDirectoryError, match="another process is training in"):
            other.claim(cartpole_config(), fresh=False)
        assert is_locked(tmp_path / "run")
        run.save(checkpoint_of(100), keep=1, may_be_best=True)
    assert not is_locked(tmp_path / "run")
    with begun(tmp_path / "run"):
        pass


# --- links of others


@pytest.mark.parametrize("name", ["checkpoints", "tensorboard"])
def test_a_run_is_not_written_through_a_link_in_its_directory(name, tmp_path):
    """It may lead to the checkpoints of another run, the oldest of which would be deleted."""
    with begun(tmp_path / "run"):
        pass
    (tmp_path / "precious").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "precious")
    with RunDirectory(tmp_path / "run") as run, pytest.raises(RunDirectoryError, match=rf"{name} is a symbolic link"):
        run.claim(cartpole_config(), fresh=False)
    assert not any((tmp_path / "precious").iterdir())


def test_videos_are_not_written_through_a_link(tmp_path):
    (tmp_path / "run").mkdir()
    assert RunDirectory(tmp_path / "run").videos == tmp_path / "run" / "videos"
    (tmp_path / "run" / "videos").symlink_to(tmp_path)
    with pytest.raises(RunDirectoryError, match="videos is a symbolic link"):
        _ = RunDirectory(tmp_path / "run").videos


# --- the record


def test_the_record_says_how_the_run_ended(tmp_path):
    run = tmp_path / "run"
    with RunDirectory(run, "pong") as directory:
        directory.claim(cartpole_config(), fresh=False)
        directory.create(cartpole_config(), fresh=False)
        assert read_record(run) == RunRecord(preset="pong", status=Status.RUNNING)
        assert SavedRun(run).status == Status.RUNNING
        directory.finish()
    assert SavedRun(run).status == Status.FINISHED
    with RunDirectory(run, "run/config.yaml") as directory:  # another preset with the same settings resumes it
        directory.claim(cartpole_config(), fresh=False)
        directory.create(cartpole_config(), fresh=False)
    assert read_record(run) == RunRecord(preset="pong", status=Status.STOPPED)
    with pytest.raises(RunDirectoryError), begun(run):
        raise RunDirectoryError("the disk is full")
    assert read_record(run) == RunRecord(preset="pong", status=Status.FAILED, reason="the disk is full")


def test_a_refused_command_leaves_the_record(tmp_path):
    with begun(tmp_path / "run") as run:
        run.finish()
    with pytest.raises(RunDirectoryError, match="another config"), RunDirectory(tmp_path / "run") as run:
        run.claim(cartpole_config().model_copy(update={"seed": 99}), fresh=False)
    assert SavedRun(tmp_path / "run").status == Status.FINISHED


def test_a_run_whose_process_was_killed_is_neither_running_nor_failed(tmp_path):
    with begun(tmp_path / "run"):
        record = read_record(tmp_path / "run")
    write_record(tmp_path / "run", record)
    assert SavedRun(tmp_path / "run").status == Status.KILLED


def test_looking_at_a_lock_keeps_nobody_from_training(tmp_path):
    (tmp_path / "run").mkdir()
    looking = os.open(tmp_path / "run", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.02, os.close, [looking]).start()
    begun(tmp_path / "run")
    assert is_locked(tmp_path / "run")


def test_a_reason_of_any_text_is_recorded(tmp_path):
    with pytest.raises(RunDirectoryError), begun(tmp_path / "run"):
        raise RunDirectoryError("\udcff is not UTF-8" + 200_000 * "!")
    assert SavedRun(tmp_path / "run").status == Status.FAILED
    assert read_record(tmp_path / "run").reason.startswith("\\xff is not UTF-8!")


def test_a_run_that_was_at_its_end_already_is_finished_whatever_its_last_session_recorded(tmp_path):
    with begun(tmp_path / "run") as run:
        run.finish_earlier()
        assert read_record(tmp_path / "run").status == Status.FINISHED


def test_runs_that_were_set_aside_are_read_only_if_they_are_named(tmp_path):
    for name in ("seed1", "seed1.old-1"):
        with begun(tmp_path / name):
            pass
    assert [run.name for run in read_runs([tmp_path])] == ["seed1"]
    assert [run.name for run in read_runs([tmp_path / "seed1.old-1"])] == ["seed1.old-1"]


def test_a_run_that_disappears_while_runs_are_listed_is_unreadable(tmp_path):
    with begun(tmp_path / "run"):
        pass
    run = SavedRun(tmp_path / "run")
    assert run.config.seed == 1
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(RunDirectoryError, match="run was moved or deleted"):
        _ = run.changed_at


def test_a_run_that_ends_between_two_rows_has_a_row_for_its_end(tmp_path):
    with begun(tmp_path / "run") as run:
        run.metrics_csv.write_text(f"steps,{RETURN}\n50,1.0\n")
        run.save(checkpoint_of(100)._replace(score=7.0), keep=1, may_be_best=True)
    columns = SavedRun(tmp_path / "run").columns(["steps", RETURN])
    assert (columns["steps"].tolist(), columns[RETURN].tolist()) == ([50, 100], [1.0, 7.0])
