"""Starting a run imports nothing and starts no thread that it does not need."""

import os
import subprocess
import sys


def output_of(code, **environment):
    """What `code` prints in a fresh interpreter with these environment variables."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"} | environment
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_importing_tensorflow_imports_neither_keras_nor_matplotlib_which_work_later():
    code = """
import gc, sys
from paac_cli.import_tensorflow import import_tensorflow
import_tensorflow()
print("tensorflow" in sys.modules, {"keras", "h5py", "matplotlib"} & sys.modules.keys(), gc.isenabled())
from tensorflow.keras import layers
import tensorflow as tf
import keras
import h5py
import matplotlib.pyplot
print(layers.Dense is keras.layers.Dense is tf.keras.layers.Dense, matplotlib.pyplot.figure())
"""
    assert output_of(code) == "True set() True\nTrue Figure(640x480)\n"


def test_linear_algebra_uses_one_thread_unless_the_user_sets_another_number():
    code = "import paac_cli.cli.main, os; print(os.environ['OPENBLAS_NUM_THREADS'])"
    assert output_of(code) == "1\n"
    assert output_of(code, OPENBLAS_NUM_THREADS="2") == "2\n"
