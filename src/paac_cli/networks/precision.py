"""In which numbers a torso computes. Weights, heads, losses and optimisers are always in float32."""

import re
from pathlib import Path

import tensorflow as tf

from paac_cli.config.schema import Precision


def compute_dtype(precision: Precision) -> tf.DType:
    """`auto` is bfloat16 where the device multiplies it natively, and float32 elsewhere."""
    if precision == "auto":
        return tf.bfloat16 if _has_native_bfloat16() else tf.float32
    return tf.as_dtype(precision)


def _has_native_bfloat16() -> bool:
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0)) >= (8, 0)
    flags = re.findall(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return bool(flags) and not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags[0].split())
