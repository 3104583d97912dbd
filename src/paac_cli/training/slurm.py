"""The cluster of a step that Slurm has started: `srun paac train ...` with several tasks."""

import os

import tensorflow as tf

from paac_cli.errors import ConfigError
from paac_cli.training.cluster import JOB, Cluster

_FIRST_PORT, _PORTS = 20_000, 10_000  # below the ports that the kernel gives to programs which ask for any


def slurm_cluster() -> Cluster:
    """The ranks are the tasks of the step, as the environment of this process describes it. Raises ConfigError.

    A task listens at a port that follows from the number of the job, so that jobs on one machine do not collide.
    """
    try:
        tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
        port = _FIRST_PORT + int(os.environ.get("SLURM_JOB_ID", 0)) * tasks % _PORTS
        # One GPU per task stands for none: the resolver counts tasks by GPUs, and must not set CUDA_VISIBLE_DEVICES.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
        )
        addresses = resolver.cluster_spec().job_tasks(JOB)
        _, rank = resolver.get_task_info()
    except (KeyError, ValueError, RuntimeError) as error:
        raise ConfigError(f"Slurm's variables do not describe the tasks of this step: {error}") from error
    return Cluster(tuple(addresses), rank)
