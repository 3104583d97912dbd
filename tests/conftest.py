"""Prepares TensorFlow as the commands do, also for tests that import it themselves."""

from paac_cli.import_tensorflow import prefer_onednn

prefer_onednn()
