"""What the bits of a run depend on beside its config and its seed, and when they are not promised."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import tensorflow as tf

from paac_cli import __version__
from paac_cli.sampling.shares import available_cores
from paac_cli.training.device import device_in_use

_PACKAGES = ("tensorflow", "keras", "numpy", "gymnasium", "ale-py", "numba", "opencv-python-headless")
APPROXIMATE = "approximate"  #: name under which a checkpoint says why its run is that
_NOT_COMPARED = frozenset({"python", "deterministic", APPROXIMATE})  # no sum depends on the one; of the others is told


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
        "processor": _processor(),
        "cores": str(available_cores()),
        "tensorflow threads": str(threads or os.environ.get("TF_NUM_INTRAOP_THREADS", "as cores")),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "by default"),
        "device": device,
        "deterministic": "yes" if deterministic or device == "CPU" else "no",
    }


def compared(now: Mapping[str, str], before: Mapping[str, str], *, resumes_exactly: bool = True) -> dict[str, str]:
    """`now`, and under `APPROXIMATE` why the run is not promised to be the same bits again, if it is not.

    now: the surroundings of this sitting; before: what this gave the sitting before, or an older version of paac;
    {} at the start. resumes_exactly: whether a checkpoint holds all that learning needs. What has once been
    approximate stays so.
    """
    reasons = [
        f"{name} was {before[name]} and is {value}"
        for name, value in now.items()
        if name not in _NOT_COMPARED and before.get(name, value) != value
    ]
    if now.get("deterministic") == "no":
        reasons.append("without training.deterministic a GPU adds in any order")
    if before and not resumes_exactly:
        reasons.append("the experience to learn from is not in the checkpoints")
    earlier = {APPROXIMATE: before[APPROXIMATE]} if APPROXIMATE in before else {}
    return doubted({**now, **earlier}, *reasons)


def doubted(surroundings: Mapping[str, str], *reasons: str) -> dict[str, str]:
    """`surroundings`, with more reasons under `APPROXIMATE`, each of them once."""
    earlier = surroundings.get(APPROXIMATE, "")
    doubts = ([earlier] if earlier else []) + [reason for reason in reasons if reason not in earlier]
    return {**surroundings, APPROXIMATE: "; ".join(doubts)} if doubts else dict(surroundings)


def _processor() -> str:
    """Its model: TensorFlow has code for each."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
