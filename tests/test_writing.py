"""Files are written in one way, that of `files.py`: the source calls no other function that writes to the disk."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "paac_cli"

#: Functions and methods that write, rename, link or delete files, or make directories.
WRITING = {
    *("open", "fdopen", "write_text", "write_bytes", "touch", "mkdir", "makedirs", "mkfifo", "mknod", "truncate"),
    *("rename", "renames", "symlink_to", "hardlink_to", "symlink", "link", "unlink", "remove", "rmdir", "rmtree"),
    *("copyfile", "copy2", "copytree", "copyfileobj", "move", "chmod", "make_archive", "unpack_archive"),
    *("savefig", "imsave", "imwrite", "save", "savez", "savez_compressed", "savetxt", "save_weights", "save_model"),
    *("tofile", "to_csv", "memmap", "VideoWriter_fourcc", "create_file_writer", "FileWriter", "dbopen"),
    *("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp", "mkdtemp", "FileHandler"),
    *("TemporaryDirectory",),
}
#: Where they are allowed nevertheless, and why.
ALLOWED = {
    "cli/output.py": {"fdopen": "of a standard stream"},
    "standard_output.py": {"fdopen": "of standard output"},
    "cli/verify.py": {
        "TemporaryDirectory": "of its own, with an unpredictable name",
        "rmtree": "of that directory",
    },
    "reporting/figures.py": {"savefig": "into memory"},
    "reporting/live_view.py": {"truncate": "of a line of text"},
    "reporting/video.py": {"open": "PyAV, on a file of `replacement`"},
    "runs/checkpoint.py": {
        "mkdir": "a new directory, which fails if there is anything",
        "rename": "checkpoints, as whole directories",
    },
    "runs/checkpoint_names.py": {
        "rename": "checkpoints, as whole directories",
        "rmtree": "old checkpoints; follows no link",
        "unlink": "a link or file in place of a checkpoint",
    },
    "runs/directory_lock.py": {"open": "the directory, or an empty file in it, through no link"},
    "runs/run_directory.py": {"rename": "an old run, as a whole directory"},
    "sampling/fork_server.py": {
        "mkdir": "the directory of its sockets",
        "TemporaryDirectory": "the same, with an unpredictable name",
    },
    "sampling/server_setup.py": {"rmtree": "the directory of its sockets"},
    "training/checkpoint_writer.py": {"save": "of `RunDirectory`"},
    "training/loop.py": {"save": "of `CheckpointWriter`"},
}


def writing_calls(tree):
    """(node, name) of each call that writes. `str.replace` has two arguments, `Path.replace` has one."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in WRITING or (name == "replace" and len(node.args) + len(node.keywords) == 1):
            yield node, name


def is_harmless(node):
    """Whether it is an `open` that says itself that it only reads, or that it opens /dev/null."""
    text = ast.unparse(node)
    modes = [argument.value for argument in node.args[1:] if isinstance(argument, ast.Constant)]
    return "r" in modes or "rb" in modes or text.startswith("os.open(os.devnull,") or ", os.O_RDONLY" in text


MODULES = [path for path in sorted(SOURCE.rglob("*.py")) if path.name != "files.py"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_source_writes_through_files_py(path):
    module = path.relative_to(SOURCE).as_posix()
    for node, name in writing_calls(ast.parse(path.read_text())):
        assert is_harmless(node) or name in ALLOWED.get(module, {}), (
            f"{module}:{node.lineno}: {ast.unparse(node)}: write with a function of files.py, which follows no link "
            "and leaves no incomplete file"
        )


def test_every_exception_is_needed():
    for module, names in ALLOWED.items():
        called = {name for _, name in writing_calls(ast.parse((SOURCE / module).read_text()))}
        assert set(names) <= called, module
