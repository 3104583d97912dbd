"""What makes the start of a run short."""

import os
import subprocess
import sys


def output_of(code, **environment):
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"} | environment
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_tensorflow_comes_without_matplotlib_which_can_be_had_later():
    code = """
import sys
from paac_cli.training.import_tensorflow import import_tensorflow
import_tensorflow()
print("tensorflow" in sys.modules, "matplotlib" in sys.modules)
import matplotlib.pyplot
print(matplotlib.pyplot.figure())
"""
    assert output_of(code) == "True False\nFigure(640x480)\n"


def test_linear_algebra_has_one_thread_unless_the_user_says_otherwise():
    code = "import paac_cli.cli.main, os; print(os.environ['OPENBLAS_NUM_THREADS'])"
    assert output_of(code) == "1\n"
    assert output_of(code, OPENBLAS_NUM_THREADS="2") == "2\n"
