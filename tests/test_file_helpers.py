"""Files are written beside their place and renamed, through no link; only regular files are read, up to a limit."""

import errno
import os
import time

import pytest

from obstacles import NOT_FILES, put_endless_file, sparse
from paac_cli import files
from paac_cli.files import (
    append,
    append_at,
    create_synced,
    make_directory,
    open_regular,
    read_regular,
    replace_synced,
    replacement,
)


@pytest.fixture
def precious(tmp_path):
    """A file outside the directory in which a test writes; it must stay as it is."""
    path = tmp_path / "precious"
    path.write_text("precious")
    yield path
    assert path.read_text() == "precious"


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "directory").mkdir()
    return tmp_path / "directory"


# --- writing


def test_a_file_is_replaced_in_one_step_and_nothing_is_left_beside_it(directory):
    path = directory / "a"
    path.write_text("old")
    with replacement(path) as file:
        file.write(b"ne")
        assert path.read_text() == "old"
        assert len(list(directory.iterdir())) == 2
        file.write(b"w")
    assert path.read_text() == "new"
    assert list(directory.iterdir()) == [path]


def test_a_directory_that_exists_needs_no_access_to_its_parent(directory, monkeypatch):
    """Nobody but root may list /home on some machines."""
    synced = []
    monkeypatch.setattr(files, "sync_directory", synced.append)
    make_directory(directory)
    assert synced == []
    make_directory(directory / "a" / "b")
    assert synced == [directory, directory / "a"]


def test_a_failed_replacement_leaves_the_file_as_it_was(directory):
    path = directory / "a"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacement(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(directory.iterdir()) == [path]


def test_an_error_names_the_file_and_not_the_unfinished_one_beside_it(directory):
    for path in (directory / "missing" / "a", directory):  # it cannot be made; it cannot be replaced
        with pytest.raises(OSError) as caught:
            replace_synced(path, [b"new"])
        assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert not list(directory.iterdir())


def test_a_link_is_replaced_and_not_followed(directory, precious):
    path = directory / "a"
    path.symlink_to(precious)
    replace_synced(path, [b"new"])
    assert not path.is_symlink()
    assert path.read_text() == "new"


@pytest.mark.parametrize("write", [lambda path: append(path, b"x"), lambda path: append_at(path, 0, b"x")])
def test_nothing_is_appended_through_a_link(directory, precious, write):
    for target in (precious, directory / "new"):
        path = directory / "a"
        path.symlink_to(target)
        with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
            write(path)
        path.unlink()
    assert not (directory / "new").exists()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("write", [lambda path: append(path, b"x"), lambda path: append_at(path, 0, b"x")])
@pytest.mark.parametrize("put", NOT_FILES)
def test_appending_to_what_is_no_regular_file_fails_at_once(directory, put, write):
    put(directory / "a")
    with pytest.raises(OSError):
        write(directory / "a")


def test_a_new_file_never_replaces_anything(directory, precious):
    for path in (precious, directory / "link", directory / "dangling"):
        if path != precious:
            path.symlink_to(precious if path.name == "link" else directory / "nothing")
        with pytest.raises(FileExistsError):
            create_synced(path, b"new")
    assert not (directory / "nothing").exists()
    create_synced(directory / "new", b"new")
    assert (directory / "new").read_text() == "new"


def test_unfinished_files_have_names_that_nobody_can_guess(directory):
    names = set()
    for _ in range(20):
        with replacement(directory / "a"):
            names |= {path.name for path in directory.iterdir()}
    assert len(names - {"a"}) == 20


def test_what_a_killed_process_left_is_deleted_but_not_what_another_process_writes(directory):
    with replacement(directory / "a"), replacement(directory / "b"):
        for path in directory.iterdir():
            os.utime(path, (time.time() - 3600,) * 2)  # the other process writes slowly
        (directory / ".paac-0123456789abcdef.partial").touch()
        os.utime(directory / ".paac-0123456789abcdef.partial", (time.time() - 3600,) * 2)
        (directory / ".paac-fedcba9876543210.partial").touch()  # it may have been made just now, by another machine
        replace_synced(directory / "c", [b"c"])
    assert sorted(path.name for path in directory.iterdir()) == [".paac-fedcba9876543210.partial", "a", "b", "c"]


def test_a_name_of_the_longest_length_can_be_written(directory):
    path = directory / ("x" * 255)
    replace_synced(path, [b"new"])
    assert path.read_text() == "new"


# --- reading


@pytest.mark.timeout(20)
@pytest.mark.parametrize("put", NOT_FILES)
def test_what_is_no_regular_file_is_refused_at_once(directory, put):
    put(directory / "a")
    with pytest.raises(OSError):
        open_regular(directory / "a")


@pytest.mark.timeout(20)
def test_a_file_of_the_kernel_that_blocks_or_never_ends_is_read_as_empty(directory):
    put_endless_file(directory / "a")
    assert read_regular(directory / "a", 100) == b""


@pytest.mark.timeout(20)
def test_a_file_is_read_up_to_its_limit(directory):
    (directory / "a").write_bytes(b"x" * 100)
    assert len(read_regular(directory / "a", 100)) == 100
    with pytest.raises(OSError, match="larger than 99 bytes"):
        read_regular(directory / "a", 99)
    sparse(directory / "b", 6 << 30)
    with pytest.raises(OSError, match="larger than 1,000 bytes"):
        read_regular(directory / "b", 1000)
