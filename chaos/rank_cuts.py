"""Cuts the network between two ranks at random moments. Both must end, and a resumed run must have the same result.

The ranks run in two network namespaces, which a pair of virtual interfaces connects as a cable connects two machines.
"""

import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from chaos.disturbed_runs import TIMEOUT, Disturbance, Reference, disturb_runs
from chaos.rank_failures import RECIPES
from chaos.result import TrialResult
from chaos.session import Recipe, Session, wait_for

_ADDRESSES = ("10.77.0.1", "10.77.0.2")
_PORT = 4000
_HOLD = ("sleep", "infinity")
_NOWHERE = "02:00:00:00:00:77"  # a hardware address that no interface has
_MAX_WAIT = 75.0  # seconds within which both ranks must have ended: 60 from when they wait for each other
_MEAN_PAUSE = 6.0  # seconds between the start of the ranks and the cut: they need about five to begin
_MAX_CUTS_PER_RUN = 5


def run(*, seed: int = 1, cuts: int = 20, recipes: Sequence[Recipe] = RECIPES) -> TrialResult:
    """Cut the network `cuts` times, at any moment: while the ranks start, train or save."""
    return disturb_runs(
        f"cuts of the network between two ranks: both end within {_MAX_WAIT:g} s with exit code 1 and name the other, "
        "no process left, resumed with the same result bit for bit",
        _train_and_cut,
        disturbances=cuts,
        seed=seed,
        recipes=recipes,
        max_per_run=_MAX_CUTS_PER_RUN,
    )


def _train_and_cut(reference: Reference, run_dir: Path, limit: int, rng: np.random.Generator) -> list[Disturbance]:
    """Train in several sessions of both ranks; a cut ends all but the last."""
    disturbances: list[Disturbance] = []
    with TwoHosts() as hosts:
        while True:
            with ExitStack() as stack:
                ranks = [stack.enter_context(_start(hosts, rank, reference.recipe, run_dir)) for rank in (0, 1)]
                if len(disturbances) == limit or ranks[0].wait(rng.exponential(_MEAN_PAUSE)) is not None:
                    for session in ranks:
                        session.wait_until_finished(TIMEOUT)
                    return disturbances
                disturbances.append(_cut(hosts, ranks, rng))
            hosts.mend()


def _start(hosts: "TwoHosts", rank: int, recipe: Recipe, run_dir: Path) -> Session:
    """Start one rank on its host, on one core as `paac launch` would."""
    core = sorted(os.sched_getaffinity(0))[rank]
    cluster = ["--cluster", ",".join(f"{address}:{_PORT}" for address in _ADDRESSES), "--rank", str(rank)]
    own = run_dir if rank == 0 else run_dir.with_name(f"{run_dir.name}-rank{rank}")
    return Session(
        recipe._replace(launcher=(), arguments=(*recipe.arguments, *cluster)),
        own,
        prefix=[*hosts.inside(rank), "taskset", "--cpu-list", str(core)],
    )


def _cut(hosts: "TwoHosts", ranks: Sequence[Session], rng: np.random.Generator) -> Disturbance:
    """Cut the connection, and wait for the end of both ranks."""
    was_training, loses_packets = ranks[0].is_training, rng.integers(2) == 1
    (hosts.lose_packets if loses_packets else hosts.pull_the_cable)()
    deadline, failures = time.monotonic() + _MAX_WAIT, []
    for rank, session in enumerate(ranks):
        code = session.wait(max(deadline - time.monotonic(), 0.1))
        if code != 1:
            failures.append(f"rank {rank} {'still runs' if code is None else f'ended with exit code {code}'}")
        elif f"rank {1 - rank}" not in session.errors or session.errors.count("Error") != 1:
            failures.append(f"rank {rank} does not name the other: {session.errors}")
        failures.extend(session.leftovers(2.0) if code is not None else [])
    how = "packets lost" if loses_packets else "cable pulled"
    return Disturbance(f"{how} {'during' if was_training else 'before'} training", failures)


class TwoHosts:
    """Two network namespaces with one address each. A context manager; Linux must allow user namespaces, or be root."""

    def __init__(self) -> None:
        self._holders: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._holders.append(subprocess.Popen(["unshare", "--map-root-user", "--net", *_HOLD]))
        self._wait_for_holder(0)
        self._holders.append(subprocess.Popen([*self.inside(0), "unshare", "--net", *_HOLD]))
        self._wait_for_holder(1)
        self._ip(0, f"link add eth0 type veth peer name eth0 netns {self._holders[1].pid}")
        for host, address in enumerate(_ADDRESSES):
            for command in (f"address add {address}/24 dev eth0", "link set lo up", "link set eth0 up"):
                self._ip(host, command)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for holder in reversed(self._holders):
            holder.kill()
            holder.wait()

    def pull_the_cable(self) -> None:
        """Both interfaces lose their connection."""
        self._ip(0, "link set eth0 down")

    def lose_packets(self) -> None:
        """From now on all packets get lost, and neither host notices."""
        for host, address in enumerate(reversed(_ADDRESSES)):
            self._ip(host, f"neighbour replace {address} lladdr {_NOWHERE} dev eth0 nud permanent")

    def mend(self) -> None:
        """Connect the hosts again."""
        self._ip(0, "link set eth0 up")
        for host in (0, 1):
            self._ip(host, "neighbour flush dev eth0 nud permanent")

    def inside(self, host: int) -> list[str]:
        """The beginning of a command that runs on a host."""
        enter = ["nsenter", "--target", str(self._holders[host].pid), "--net"]
        return [*enter, "--user", "--preserve-credentials"]

    def _ip(self, host: int, arguments: str) -> None:
        subprocess.run([*self.inside(host), "ip", *arguments.split()], check=True)

    def _wait_for_holder(self, host: int) -> None:
        """Wait until the program that holds a namespace has begun, so that the namespace is complete."""
        name = Path(f"/proc/{self._holders[host].pid}/comm")
        assert wait_for(lambda: name.read_text().strip() == _HOLD[0], 10.0)
