"""TensorFlow's devices, chosen once before anything runs on them; and on what else its sums depend."""

import os
import platform
from importlib.metadata import version

import tensorflow as tf

from paac_cli import __version__
from paac_cli.config.schema import Device
from paac_cli.errors import DeviceError
from paac_cli.machine import available_cores, processor

_PACKAGES = ("tensorflow", "keras", "numpy", "gymnasium", "ale-py", "numba", "opencv-python-headless")


def choose_device(device: Device, *, deterministic: bool = True) -> str:
    """Make TensorFlow use `device`; returns what it will use, in words.

    With a GPU, memory is taken as needed, and operations are deterministic if they shall be.
    Raises DeviceError if a GPU is asked for and TensorFlow has none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        built = "is" if tf.test.is_built_with_cuda() else "is not"
        found = ", ".join(d.name for d in tf.config.list_physical_devices())
        raise DeviceError(
            f"--device gpu: TensorFlow {tf.__version__}, which {built} built with CUDA, found only {found}. "
            "`pip install 'paac[gpu]'` brings CUDA's libraries; `nvidia-smi` shows whether the driver works"
        )
    if device == "cpu" or not gpus:
        tf.config.set_visible_devices([], "GPU")
        return device_in_use()
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.set_visible_devices(gpus[:1], "GPU")
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return device_in_use()


def device_in_use() -> str:
    """The device that was chosen, in words."""
    gpus = tf.config.get_visible_devices("GPU")
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")) if gpus else "CPU"


def surroundings(*, deterministic: bool) -> dict[str, str]:
    """Name -> what it is in this process: versions; and the order of TensorFlow's sums, by all that decides on it.

    deterministic: as in the config. `choose_device` comes first.
    """
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    device = device_in_use()
    return {
        "paac": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        "processor": processor(),
        "cores": str(available_cores()),
        "tensorflow threads": str(threads or os.environ.get("TF_NUM_INTRAOP_THREADS", "as cores")),
        "xla": " ".join(os.environ.get(name, "") for name in ("TF_XLA_FLAGS", "XLA_FLAGS")).strip() or "by default",
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "by default"),
        "device": device,
        "deterministic": "yes" if deterministic or device == "CPU" else "no",
    }
