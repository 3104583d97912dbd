"""The wheel, installed in an environment from which this source tree cannot be imported."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = out.glob("*.whl")
    return found


def test_the_wheel_contains_presets_and_type_marker(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"paac_cli/py.typed", "paac_cli/presets/pong.yaml", "paac_cli/presets/paper/qbert.yaml"} <= set(names)
    assert {f"paac_cli/reporting/report/{name}" for name in ("page.css", "chart.js")} <= set(names)
    assert not any(name.startswith(("tests/", "benchmarks/", "chaos/")) for name in names)


def test_the_installed_wheel_lists_its_presets(wheel, tmp_path):
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    # The dependencies come from this environment. On PYTHONPATH, unlike in a site directory, the .pth file of an
    # editable install is not followed, so paac itself can only be imported from where it was installed.
    variables = os.environ | {"PYTHONPATH": sysconfig.get_paths()["purelib"]}

    def run(*command):
        return subprocess.run(command, cwd=tmp_path, env=variables, check=True, capture_output=True, text=True).stdout

    assert str(environment) in run(python, "-c", "import paac_cli; print(paac_cli.__file__)")
    listed = run(environment / "bin" / "paac", "presets", "list")
    assert {line.split()[0] for line in listed.splitlines()} >= {"pong", "cartpole", "breakout", "paper/pong"}
