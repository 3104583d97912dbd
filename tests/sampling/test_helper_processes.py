"""Helper processes: which modules they find, and where their sockets are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rude_envs
from paac_cli.errors import ConfigError
from paac_cli.sampling import fork_server

TESTS = Path(rude_envs.__file__).parent

POOL = """
import os, sys
from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.errors import PaacError
from paac_cli.sampling.describe import describe
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool

def main():
    config, sampling = EnvConfig(id=sys.argv[1]), SamplingConfig(num_envs=2, num_workers=2)
    with WorkerPool(Games(config, 1), describe(config, sampling), sampling, rollout_length=1, log=print) as pool:
        print(pool.reset().obs.shape)

if __name__ == "__main__":
    try:
        main()
    except PaacError as error:
        print(error)
"""

#: Names of modules that the standard library, NumPy, OpenCV and Gymnasium import, and some that they only try.
TRAPS = [
    *("random", "queue", "cv2", "multiprocessing", "numpy", "json", "socket", "threading", "gymnasium", "selectors"),
    *("pygame", "tomllib", "secrets", "av", "numba", "readline", "_distutils_hack", "sitecustomize_", "usercustomize_"),
]


def run_pool(directory, env_id="CartPole-v1", **variables):
    """What a pool prints, started in `directory` with these environment variables; None removes one."""
    script = directory / "learner.py"
    script.write_text(POOL)
    variables = {**os.environ, "PYTHONPATH": str(TESTS)} | variables
    variables = {name: value for name, value in variables.items() if value is not None}
    command = [sys.executable, "-P", script, env_id]
    return subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True, timeout=60)


@pytest.fixture
def traps(tmp_path):
    """traps() -> names of the modules in the current directory that were imported."""
    directory = tmp_path / "here"
    directory.mkdir()
    for name in TRAPS:
        (directory / f"{name}.py").write_text(f"open({str(tmp_path / name)!r}, 'w')\nraise ImportError('a trap')\n")
    return lambda: sorted(path.name for path in tmp_path.iterdir() if path != directory)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "ALE/Pong-v5"])
def test_no_process_imports_a_module_from_the_current_directory(env_id, traps, tmp_path):
    result = run_pool(tmp_path / "here", env_id)
    assert "(2, " in result.stdout, result.stderr
    assert traps() == []


def test_programs_that_environments_start_search_for_modules_as_usual(tmp_path):
    """The variable that protects the helper processes does not reach them."""
    (tmp_path / "my_envs.py").write_text(
        """
import os, subprocess, sys
import gymnasium, rude_envs

class Starting(rude_envs.Rude):
    def __init__(self, render_mode=None):
        super().__init__()
        assert "PYTHONSAFEPATH" not in os.environ
        subprocess.run([sys.executable, "-c", "import my_simulator"], check=True)

gymnasium.register("Starting-v0", Starting)
"""
    )
    (tmp_path / "my_simulator.py").write_text("")
    result = run_pool(tmp_path, "my_envs:Starting-v0", PYTHONPATH=os.pathsep.join([str(TESTS), str(tmp_path)]))
    assert result.stdout == "(2, 1)\n", result.stderr


def test_the_variable_of_the_user_for_safe_paths_stays(tmp_path):
    assert run_pool(tmp_path, PYTHONSAFEPATH="1").stdout == "(2, 4)\n"
    before = dict(os.environ)
    with fork_server.safe_path():
        assert os.environ["PYTHONSAFEPATH"]
    assert dict(os.environ) == before


@pytest.mark.parametrize("temporary", ["long", "missing", "file", "relative", "not UTF-8", None])
def test_sockets_find_a_directory_whatever_the_temporary_one_is(temporary, tmp_path):
    directory = tmp_path / os.fsdecode({"long": b"x" * 200, "not UTF-8": b"caf\xe9"}.get(temporary, b"there"))
    if temporary == "file":
        directory.touch()
    elif temporary != "missing":
        directory.mkdir()
    value = {"relative": directory.name, None: None}.get(temporary, str(directory))
    assert run_pool(tmp_path, TMPDIR=value).stdout == "(2, 4)\n"
    assert temporary in ("file", "missing") or list(directory.iterdir()) == []


def test_a_machine_without_a_directory_for_sockets_gets_one_error(tmp_path, monkeypatch):
    for name in ("TMPDIR", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "missing"))
    monkeypatch.setattr(fork_server, "_usual_directory", lambda: str(tmp_path / ("x" * 100)))
    monkeypatch.setattr(fork_server, "_SHORT_DIRECTORIES", ("/proc",))
    with pytest.raises(ConfigError) as caught:
        fork_server._prepare_socket_directory.__wrapped__()
    assert "bytes too long" in str(caught.value)
    assert "/proc: " in str(caught.value)
    assert "Set TMPDIR to a directory that can be written, with a path of at most 75 bytes" in str(caught.value)


def test_a_deleted_current_directory_is_one_error(tmp_path):
    (tmp_path / "learner.py").write_text(POOL)
    (tmp_path / "gone").mkdir()
    command = f"rmdir ../gone; {sys.executable} -P ../learner.py CartPole-v1"
    result = subprocess.run(["bash", "-c", command], cwd=tmp_path / "gone", capture_output=True, text=True, timeout=60)
    assert result.stdout == "the current directory has been deleted; change to another one (cd)\n", result.stderr
