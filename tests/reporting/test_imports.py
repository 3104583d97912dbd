"""What only reads runs starts without TensorFlow, which takes seconds to import."""

import subprocess
import sys

import pytest
from plain_run import write_run


def modules_after(code, *args):
    """Names of the modules in a fresh interpreter that has run `code` with these arguments."""
    code = f"import sys\n{code}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_paac_plot_imports_no_tensorflow(tmp_path):
    run, out = write_run(tmp_path / "run"), tmp_path / "curve.png"
    code = "from paac_cli.cli.main import main\nmain(sys.argv[1:], standalone_mode=False)"
    modules = modules_after(code, "plot", run, "--out", out)
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "paac_cli.reporting.plot" in modules
    assert "tensorflow" not in modules


def test_paac_report_imports_neither_tensorflow_nor_matplotlib(tmp_path):
    run, out = write_run(tmp_path / "run"), tmp_path / "report.html"
    code = "from paac_cli.cli.main import main\nmain(sys.argv[1:], standalone_mode=False)"
    modules = modules_after(code, "report", run, "--out", out)
    assert out.read_text().startswith("<!doctype html>")
    assert "paac_cli.reporting.report.write" in modules
    assert modules.isdisjoint({"tensorflow", "matplotlib", "gymnasium", "av", "cv2"})


@pytest.mark.parametrize("module", ["console", "plot", "scores", "verification_report", "video"])
def test_reports_import_no_tensorflow(module):
    assert "tensorflow" not in modules_after(f"import paac_cli.reporting.{module}")


def test_plots_need_no_valid_backend_from_the_user(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "no-such")
    assert "matplotlib.backends.backend_agg" in modules_after(
        "import paac_cli.reporting.figures as figures; figures.plt.figure()"
    )
