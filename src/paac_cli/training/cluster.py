"""Which processes ("ranks") train one run together, as the command line or the environment describes them.

TensorFlow's own variable TF_CONFIG describes a cluster, or `--cluster` and `--rank`, or the variables that Slurm sets.
"""

import contextlib
import json
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple

from paac_cli.errors import ClusterError, ConfigError

TIMEOUT = 60.0  #: seconds that a rank waits for the others

JOB = "worker"  #: the name of the only job in TensorFlow's description of a cluster
_POLL, _CONNECT_TIMEOUT = 0.1, 1.0  # seconds


class Cluster(NamedTuple):
    """The processes that train together, as one of them sees it."""

    addresses: tuple[str, ...]  #: host:port of every rank
    rank: int  #: of this process
    has_own_gpus: bool = False  #: whether this process can use no GPU of another rank

    @property
    def others(self) -> dict[int, str]:
        """The addresses of all other ranks."""
        return {rank: address for rank, address in enumerate(self.addresses) if rank != self.rank}

    @property
    def local_rank(self) -> int:
        """The index of this process among the ranks that can use the same GPUs: those with the same host."""
        if self.has_own_gpus:
            return 0
        hosts = [address.rpartition(":")[0] for address in self.addresses]
        return hosts[: self.rank].count(hosts[self.rank])


def find_cluster(addresses: str | None, rank: int | None, variables: Mapping[str, str]) -> Cluster | None:
    """The cluster that the flags `--cluster` and `--rank` or else TF_CONFIG in `variables` describe; None if alone.

    Raises ConfigError.
    """
    if addresses is not None or rank is not None:
        if addresses is None or rank is None:
            raise ConfigError("--cluster and --rank go together: --cluster HOST:PORT,HOST:PORT --rank 0")
        return _checked(tuple(address.strip() for address in addresses.split(",")), rank, "--cluster")
    if text := variables.get("TF_CONFIG"):
        try:
            described = json.loads(text)
            jobs, task = described.get("cluster", {}), described.get("task", {})
            everyone = tuple(map(str, (*jobs.get("chief", ()), *jobs.get(JOB, ()))))
            offset = len(jobs.get("chief", ())) if task.get("type") == JOB else 0
            index = int(task.get("index", 0)) + offset
        except (ValueError, AttributeError, TypeError) as error:
            raise ConfigError(f"TF_CONFIG is not a description of a cluster: {error}") from None
        unknown = {*jobs, task.get("type", JOB)} - {"chief", JOB}
        if unknown:
            raise ConfigError(f"TF_CONFIG has a job {sorted(unknown)[0]!r}; paac knows only chief and worker")
        return _checked(everyone, index, "TF_CONFIG") if everyone else None
    return None


def is_in_slurm_step(variables: Mapping[str, str]) -> bool:
    """Whether Slurm has started this process as one of several tasks of a step."""
    return "SLURM_PROCID" in variables and variables.get("SLURM_STEP_NUM_TASKS", "1") != "1"


def _checked(addresses: tuple[str, ...], rank: int, source: str) -> Cluster | None:
    """None if there is one rank only. Raises ConfigError."""
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise ConfigError(f"{source}: {address!r} is not HOST:PORT with a port from 1 to 65535")
        if ":" in host:
            raise ConfigError(f"{source}: {host!r} is an IPv6 address; give a host name or an IPv4 address")
    if len(set(addresses)) < len(addresses):
        raise ConfigError(f"{source} names an address twice: {', '.join(addresses)}")
    if not 0 <= rank < len(addresses):
        raise ConfigError(
            f"{source} has {len(addresses)} addresses, so a rank is 0 to {len(addresses) - 1}, not {rank}"
        )
    return Cluster(addresses, rank) if len(addresses) > 1 else None


def wait_for_all(cluster: Cluster, timeout: float = TIMEOUT) -> None:
    """Wait until every rank listens at its address, at most `timeout` seconds. Raises ClusterError.

    TensorFlow itself would wait without an end, and without running any signal handler.
    """
    deadline, waiting = time.monotonic() + timeout, cluster.others
    own = cluster.addresses[cluster.rank]
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(socket.create_server(("", int(own.rpartition(":")[2]))))
        except OSError as error:
            raise ClusterError(f"rank {cluster.rank} cannot listen at {own}: {error.strerror}") from None
        while waiting:
            waiting = {rank: address for rank, address in waiting.items() if not _listens(address)}
            if waiting and time.monotonic() > deadline:
                raise ClusterError(
                    f"rank {cluster.rank} got no answer within {timeout:g} s from {listed(waiting)}; was it started, "
                    "and does a firewall let it through?"
                )
            time.sleep(_POLL)


def listed(ranks: Mapping[int, str]) -> str:
    """These ranks (rank -> address), for messages."""
    return ", ".join(f"rank {rank} at {address}" for rank, address in ranks.items())


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT):
            return True
    except OSError:
        return False
