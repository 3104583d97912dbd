"""The cluster of a step that Slurm has started: `srun paac train ...` with several tasks."""

import os

import tensorflow as tf

from paac_cli.errors import ClusterError, ConfigError
from paac_cli.training.cluster import JOB, Cluster

_FIRST_PORT, _PORTS = 20_000, 10_000  # below the ports that the kernel gives to programs which ask for any
_STEPS = 31  # of a job, until a port is one that the next job may have


def slurm_cluster() -> Cluster:
    """The ranks are the tasks of the step, as the environment of this process describes it.

    They are in the order of the names of their hosts and, on a host, of SLURM_LOCALID. That of SLURM_PROCID depends on
    `srun --distribution`. The ports follow from the numbers of job and step, so that steps which run on one machine at
    the same time rarely have the same. Raises ConfigError or ClusterError.
    """
    try:
        tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
        step = int(os.environ["SLURM_JOB_ID"]) * _STEPS + int(os.environ["SLURM_STEP_ID"])
        port = _FIRST_PORT + step * tasks % _PORTS
        # One GPU per task stands for none: the resolver counts tasks by GPUs, and must not set CUDA_VISIBLE_DEVICES.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
        )
        addresses = resolver.cluster_spec().job_tasks(JOB)
        own = f"{os.environ['SLURMD_NODENAME']}:{port + int(os.environ['SLURM_LOCALID'])}"
    except (KeyError, ValueError, RuntimeError) as error:
        raise ConfigError(f"Slurm's variables do not describe the tasks of this step: {error}") from error
    if own not in addresses:
        raise ClusterError(f"Slurm's variables say that this task is at {own}, and its step at {', '.join(addresses)}")
    has_own_gpus = "SLURM_GPUS_PER_TASK" in os.environ  # `srun --gpus-per-task` hides the GPUs of other tasks
    return Cluster(tuple(addresses), addresses.index(own), has_own_gpus)
