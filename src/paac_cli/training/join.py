"""Connects this process with the others that train the same run, if there are others."""

import os

from paac_cli.config.schema import RunConfig
from paac_cli.errors import ConfigError
from paac_cli.import_tensorflow import import_tensorflow
from paac_cli.training.cluster import Cluster, find_cluster, is_in_slurm_step, wait_for_all
from paac_cli.training.loading import prepare_device
from paac_cli.training.ranks import ALONE, Ranks

_MAX_WAIT = 600.0  # seconds that a rank waits for a slower one, besides time for its workers


def join_ranks(config: RunConfig, addresses: str | None = None, rank: int | None = None) -> Ranks:
    """Find out which processes train together, and connect with them if there are others.

    addresses, rank: of `--cluster` and `--rank`. Raises ConfigError or ClusterError.
    """
    cluster = find_cluster(addresses, rank, os.environ)
    if cluster is None and is_in_slurm_step(os.environ):
        import_tensorflow()
        from paac_cli.training.slurm import slurm_cluster

        cluster = slurm_cluster()
    if cluster is None:
        return ALONE
    _check(config, len(cluster.addresses))
    return _connect(cluster, config)


def _check(config: RunConfig, size: int) -> None:
    """Raise ConfigError if `size` ranks cannot train what `config` describes."""
    algorithm = config.algorithm
    if not algorithm.supports_ranks:
        raise ConfigError(f"algorithm {algorithm.name} trains in one process, not in {size} ranks")
    one_process = {
        "sampling.overlap": config.sampling.overlap,
        "training.jit_compile": config.training.jit_compile,
    }
    for key, is_set in one_process.items():
        if is_set:
            raise ConfigError(f"{key} is for one process, not for several ranks")
    if config.sampling.num_envs < size:
        raise ConfigError(
            f"{size} ranks need at least as many environments; sampling.num_envs is {config.sampling.num_envs}"
        )


def _connect(cluster: Cluster, config: RunConfig) -> Ranks:
    """Wait for the other ranks."""
    prepare_device(config, cluster.local_rank)
    from paac_cli.training.connection import Connection
    from paac_cli.training.device import runtime

    wait_for_all(cluster)
    # Ranks that are gone are noticed within seconds; but one that is there may have to replace workers that hang.
    timeout = _MAX_WAIT + 10 * config.sampling.worker_timeout
    ranks = Ranks(cluster.rank, len(cluster.addresses), Connection(cluster, timeout))
    ranks.require_same(config, runtime(deterministic=True).versions)
    return ranks
