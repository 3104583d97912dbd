"""Chooses TensorFlow's device, once and before anything runs on it, and describes the runtime of this process."""

import contextlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version

import tensorflow as tf

from paac_cli import __version__
from paac_cli.config.schema import Device, RunConfig
from paac_cli.errors import DeviceError
from paac_cli.import_tensorflow import onednn_setting
from paac_cli.machine import available_cores, multiplies_bfloat16, processor
from paac_cli.runs.runtime import Runtime
from paac_cli.text import how_to_install

_PACKAGES = ("tensorflow", "keras", "numpy", "gymnasium", "ale-py", "numba", "opencv-python-headless")
_OPTIONAL_PACKAGES = ("mujoco", "box2d", "nvidia-cublas-cu12", "nvidia-cudnn-cu12")  # of the extras
_GPUS_WITH_BFLOAT16 = (8, 0)  # compute capability from which on: Ampere


def choose_device(device: Device, *, deterministic: bool = True, local_rank: int = 0) -> str:
    """Make TensorFlow use `device`; returns the name of the device that it will use.

    On a GPU, memory is allocated as needed, and operations are deterministic if `deterministic`.
    local_rank: index of this process among those that train together and can use the same GPUs; each uses another one.
    Raises DeviceError if a GPU is requested and TensorFlow finds none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        built = "with" if tf.test.is_built_with_cuda() else "without"
        found = ", ".join(d.name for d in tf.config.list_physical_devices())
        raise DeviceError(
            f"device gpu is not available: TensorFlow {tf.__version__}, built {built} CUDA, found only {found}. "
            f"Install CUDA's libraries ({how_to_install('gpu')}), check the driver with `nvidia-smi`, or use "
            "--device cpu"
        )
    if device == "cpu" or not gpus:
        tf.config.set_visible_devices([], "GPU")
        return device_in_use()
    if local_rank >= len(gpus):
        raise DeviceError(
            f"each rank needs a GPU of its own, and this machine has {len(gpus)}; use fewer ranks or --device cpu"
        )
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.set_visible_devices(gpus[local_rank], "GPU")
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return device_in_use()


def device_in_use() -> str:
    """The chosen device: "CPU", or the name of the GPU."""
    gpus = tf.config.get_visible_devices("GPU")
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")) if gpus else "CPU"


def resolve_precision(config: RunConfig) -> RunConfig:
    """`config` with a number format in place of `network.precision: auto`. Call `choose_device` first."""
    if config.network.precision != "auto":
        return config
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        is_native = capability >= _GPUS_WITH_BFLOAT16
    else:
        is_native = multiplies_bfloat16()
    return config.with_settings("network", precision="bfloat16" if is_native else "float32")


def runtime(*, deterministic: bool) -> Runtime:
    """The runtime of this process. Call `choose_device` first. deterministic: `training.deterministic`."""
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS") or str(tf.config.threading.get_intra_op_parallelism_threads())
    cores = available_cores()
    device = device_in_use()
    xla_flags = " ".join(os.environ.get(name, "") for name in ("TF_XLA_FLAGS", "XLA_FLAGS")).strip()
    return Runtime(
        python=platform.python_version(),
        versions={"paac": __version__, **_versions()},
        processor=processor(),
        cores=cores,
        device=device,
        deterministic=deterministic or device == "CPU",
        tensorflow_threads=threads if threads not in ("0", str(cores)) else "as cores",
        xla_flags=xla_flags or "by default",
        onednn=onednn_setting(),
    )


def _versions() -> dict[str, str]:
    """Package -> version, of every package on which results depend, if it is installed."""
    versions = {package: version(package) for package in _PACKAGES}
    for package in _OPTIONAL_PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
