"""Prepares NumPy and TensorFlow as the commands do, also for tests that import them themselves."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported; see paac_cli/cli/main.py

from paac_cli.import_tensorflow import prefer_onednn

prefer_onednn()
