"""Keeps TensorFlow's start-up chatter off the terminal, and its import short."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


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
            with _hidden("matplotlib"):  # Keras would load it, half a second, in case somebody draws galleries
                import tensorflow as tf

            tf.config.list_physical_devices()  # looks for GPUs, and says so
        except Exception:
            caught.seek(0)
            os.write(stderr, caught.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextlib.contextmanager
def _hidden(module: str) -> Iterator[None]:
    """To what is imported in here, `module` is not installed, unless it has been imported before."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
