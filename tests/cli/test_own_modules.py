"""Modules in the current directory are imported only by a command that names code, and after all libraries."""

import sys

import pytest

#: Modules of the standard library and of libraries. Python's own start-up imports others, such as contextlib.
NAMES = [
    *("random", "queue", "multiprocessing", "json", "socket", "threading", "email", "csv", "secrets", "tempfile"),
    *("numpy", "cv2", "click", "yaml", "pydantic", "tensorflow", "gymnasium", "keras", "av", "matplotlib", "h5py"),
]


@pytest.fixture
def trapped(trained_copy, tmp_path):
    """trapped() -> the names of modules in the directory of the run that were imported."""
    marks = tmp_path / "imported"
    marks.mkdir()
    for name in NAMES:
        (trained_copy / f"{name}.py").write_text(f"open({str(marks / name)!r}, 'w')\n")
    return lambda: sorted(path.name for path in marks.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ("eval", ".", "--episodes", 1, "--trust-code"),
        ("record", "--checkpoint", ".", "--seconds", 0.1),
        ("plot", "."),
        ("train", "--preset", "cartpole", "--total-steps", 64, "--num-envs", 2, "--run-dir", "new"),
        ("presets", "validate", "config.yaml"),
    ],
    ids=lambda command: " ".join(map(str, command)),
)
def test_files_named_like_libraries_are_not_imported(command, trapped, trained_copy, paac):
    result = paac(*command, cwd=trained_copy)
    assert result.returncode == 0, result.stderr
    assert trapped() == []


@pytest.mark.parametrize(
    ("arguments", "is_added"),
    [
        (["--preset", "cartpole"], False),
        (["--preset", "cartpole", "--set", "env.kwargs.address='localhost:8080'"], False),
        (["--preset", "cartpole", "--env", "my_envs:Mine-v0"], True),
        (["--preset", "cartpole", "--set", "network.torso=my_models:make"], True),
        (["--preset", "mine.yaml"], True),
    ],
)
def test_the_current_directory_is_searched_only_where_code_is_named(arguments, is_added, invoke, tmp_path, monkeypatch):
    """As the last directory. The environment does not exist, so nothing is trained."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.yaml").write_text(
        "env: {id: 'my_envs:Mine-v0'}\nnetwork: {torso: mlp}\ntraining: {total_steps: 1}"
    )
    before = [*sys.path]
    assert invoke("train", *arguments, "--num-envs", "0").exit_code == 2
    assert sys.path == before + [str(tmp_path)] * is_added
