"""Who may train in a directory, and what becomes of it when it is not alone."""

import shutil

import pytest
from test_verification import checkpoint_of, config_of

from paac_cli.errors import RunDirectoryError
from paac_cli.runs.run_directory import RunDirectory


@pytest.mark.parametrize("fresh", [False, True])
def test_who_comes_second_to_a_directory_that_nobody_had_harms_nothing(fresh, tmp_path):
    """Both have found nothing there; one has trained to its end while the other was still loading."""
    config = config_of()
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
def test_a_directory_that_has_gone_is_not_made_again(loss, tmp_path):
    with RunDirectory(tmp_path / "run") as run:
        run.claim(config_of(), fresh=False)
        run.create(config_of(), fresh=False)
        loss(tmp_path / "run")
        with pytest.raises(RunDirectoryError, match="has been moved or deleted while it was trained in"):
            run.save(checkpoint_of(100), keep=1)
    assert not (tmp_path / "run").exists()


def test_fresh_leaves_a_link_where_it_leads(tmp_path):
    """To another disk, for one."""
    place, link = tmp_path / "place", tmp_path / "link"
    place.mkdir()
    link.symlink_to(place)
    for fresh in (False, True):
        with RunDirectory(link) as run:
            run.claim(config_of(), fresh=fresh)
            run.create(config_of(), fresh=fresh)
    assert link.is_symlink()
    assert (place / "config.yaml").exists()
    assert (tmp_path / "place.old-1" / "config.yaml").exists()
