"""Imports TensorFlow without its start-up messages, and faster."""

import contextlib
import gc
import os
import re
import sys
from collections.abc import Iterator

from paac_cli.errors import DependencyError
from paac_cli.machine import available_cores, has_cpu_quota, vector_extensions
from paac_cli.memory import memory_limit_note

_MAX_CAPTURED = 1 << 20  # bytes
_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
#: What TensorFlow imports if it is installed, and hardly any run needs: all of Keras, which `tf.keras` imports when it
#: is first used; h5py, for files of weights; and matplotlib, for galleries of images.
_UNNEEDED = ("keras._tf_keras", "h5py", "matplotlib")
#: A graph that calls a graph compiled by XLA occupies a thread while it waits for it, so one thread would be too few.
_LEAST_INTEROP_THREADS = 2


def import_tensorflow() -> None:
    """Import TensorFlow, and limit its threads to the cores that a container allows.

    Standard error is captured meanwhile, because the first messages ignore the log level; what was captured is shown
    only if the import fails. TF_CPP_MIN_LOG_LEVEL=0 in the environment shows everything. Raises DependencyError.
    """
    if "tensorflow" in sys.modules:
        return
    prefer_onednn()
    try:
        if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
            _import()
        else:
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
            with _captured_stderr():
                _import()
    except (ImportError, MemoryError, SystemError) as error:
        raise DependencyError(f"TensorFlow cannot be imported: {_essence(error)}{memory_limit_note()}") from error
    _set_threads()


def prefer_onednn() -> None:
    """Let TensorFlow use oneDNN unless the user has decided. Call it before TensorFlow is imported.

    By itself TensorFlow does so only on processors with AVX-512, but with AVX2 it is faster, too: see
    docs/performance.md.
    """
    if "AVX2" in vector_extensions():
        os.environ.setdefault(_ONEDNN, "1")


def onednn_setting() -> str:
    """What decides whether TensorFlow uses oneDNN: TF_ENABLE_ONEDNN_OPTS, or "by default"."""
    return os.environ.get(_ONEDNN, "by default")


def _import() -> None:
    """Import TensorFlow, a quarter faster than usual: see docs/performance-experiments.md, "Memory and start-up"."""
    with _hidden(*_UNNEEDED), _without_garbage_collection():
        import tensorflow as tf

    tf.config.list_physical_devices()  # looks for GPUs, which also prints messages


def _set_threads() -> None:
    """TensorFlow itself counts cores that a container does not allow. What users have set in the environment stays."""
    import tensorflow as tf

    cores, is_limited = available_cores(), has_cpu_quota()
    if is_limited and "TF_NUM_INTRAOP_THREADS" not in os.environ:
        tf.config.threading.set_intra_op_parallelism_threads(cores)
    if (is_limited or cores < _LEAST_INTEROP_THREADS) and "TF_NUM_INTEROP_THREADS" not in os.environ:
        tf.config.threading.set_inter_op_parallelism_threads(max(cores, _LEAST_INTEROP_THREADS))


def _essence(error: BaseException) -> str:
    """What went wrong, without the traceback and the advice that TensorFlow puts into its message."""
    lines = [line.strip() for line in str(error).splitlines()]
    causes = [line.partition(": ")[2] for line in lines if re.match(r"\w+Error: ", line)]
    return (causes or [line for line in lines if line] or [type(error).__name__])[-1]


@contextlib.contextmanager
def _captured_stderr() -> Iterator[None]:
    """Capture what is written to descriptor 2, also by libraries; show it if the block raises something unexpected."""
    sys.stderr.flush()
    captured, stderr = os.memfd_create("stderr"), os.dup(2)
    os.dup2(captured, 2)
    try:
        yield
    except (ImportError, MemoryError, SystemError):
        raise
    except Exception:
        os.write(stderr, os.pread(captured, _MAX_CAPTURED, 0))
        raise
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(captured)


@contextlib.contextmanager
def _hidden(*modules: str) -> Iterator[None]:
    """In this block, importing these modules fails as if they were not installed, unless they were imported before."""
    hidden = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for module in hidden:
            del sys.modules[module]


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """In this block, no garbage is collected; and what exists at its end is never searched for garbage.

    Otherwise Python searches the many objects that an import creates again and again, although they are all kept.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        gc.freeze()
