"""Two processes in one run directory, and directories that disappear or are links."""

import shutil

import pytest

from checkpoints import cartpole_config, checkpoint_of
from paac_cli.errors import RunDirectoryError
from paac_cli.runs.run_directory import RunDirectory


@pytest.mark.parametrize("fresh", [False, True])
def test_the_second_of_two_new_runs_in_one_directory_is_refused(fresh, tmp_path):
    """Both claimed a directory that did not exist; one has finished training while the other was still loading."""
    config = cartpole_config()
    with RunDirectory(tmp_path / "run") as slow:
        slow.claim(config, fresh=fresh)
        with RunDirectory(tmp_path / "run") as quick:
            quick.claim(config, fresh=False)
            quick.create(config, fresh=False)
            quick.save(checkpoint_of(100), keep=1)
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
            run.save(checkpoint_of(100), keep=1)
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
