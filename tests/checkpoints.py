"""Checkpoints of small runs, made without training."""

import numpy as np

from paac_cli.config.load import load_config
from paac_cli.runs.checkpoint import Checkpoint
from paac_cli.runs.manifest import Counters
from paac_cli.runs.runtime import Runtime

RUNTIME = Runtime(
    python="3.12.1",
    versions={"tensorflow": "2.21.0", "numpy": "2.3.0"},
    processor="some processor",
    cores=2,
    device="CPU",
    deterministic=True,
    tensorflow_threads="as cores",
    xla_flags="by default",
    onednn="by default",
)


def runtime_with(**changes):
    """`RUNTIME` with other values."""
    return RUNTIME.model_copy(update=changes)


def cartpole_config(num_envs=4, num_workers=2, algorithm=None, overlap=False, **training):
    return load_config(
        {
            "env": {"id": "CartPole-v1"},
            "sampling": {"num_envs": num_envs, "num_workers": num_workers, "overlap": overlap},
            "algorithm": algorithm or {"name": "paac"},
            "network": {"torso": "mlp"},
            "training": {"total_steps": 1000, **training},
        },
        "test",
    )


def checkpoint_of(steps, config=None, score=None, runtime=RUNTIME, approximate=(), **parts):
    """A checkpoint at `steps` whose environments stand at the start of their first game. parts: other arrays."""
    config = config or cartpole_config()
    zeros = np.zeros(config.sampling.num_envs, np.int64)
    parts = {
        "policy": {},
        "learner": {},
        "sampling": {"episode": zeros, "length": zeros, "actions": np.zeros(0, np.int32)},
        "progress": {"scores": np.zeros(0), "lengths": np.zeros(0, np.int64)},
    } | parts
    counters = Counters(steps=steps, seconds=steps / 10)
    return Checkpoint(config, counters, score, **parts, runtime=runtime, approximate=approximate)
