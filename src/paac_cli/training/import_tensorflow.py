"""Imports TensorFlow without its start-up messages, and faster."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


def import_tensorflow() -> None:
    """Import TensorFlow with standard error captured, because its first messages ignore the log level.

    The captured text is shown only if the import fails. TF_CPP_MIN_LOG_LEVEL=0 in the environment shows everything.
    """
    if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    with tempfile.TemporaryFile() as captured:
        stderr = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            with _hidden("matplotlib"):  # Keras would import it, half a second, only to draw image galleries
                import tensorflow as tf

            tf.config.list_physical_devices()  # looks for GPUs, which also prints messages
        except Exception:
            captured.seek(0)
            os.write(stderr, captured.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextlib.contextmanager
def _hidden(module: str) -> Iterator[None]:
    """In this block, importing `module` fails as if it were not installed, unless it has been imported before."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
