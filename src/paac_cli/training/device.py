"""TensorFlow's devices, chosen once before anything runs on them."""

import tensorflow as tf

from paac_cli.config.schema import Device
from paac_cli.errors import DeviceError


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
