"""Keeps TensorFlow's start-up chatter off the terminal."""

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import TensorFlow with standard error caught: its first log lines obey no log level.

    What was caught is shown only if the import fails. Set TF_CPP_MIN_LOG_LEVEL=0 to see everything.
    """
    if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        stderr = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for GPUs, and says so
        except BaseException:
            caught.seek(0)
            os.write(stderr, caught.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
