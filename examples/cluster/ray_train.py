"""Train one run in several processes that Ray places on its machines.

    python ray_train.py --ranks 4 --cores 16 -- --preset pong --run-dir /shared/pong

What follows `--` are arguments of `paac train`. The run directory must be on a disk that the machine of rank 0 can write
to after a restart, too, so on a shared one if Ray may choose another machine. If a rank fails, all are started again,
and resume from the last checkpoint. Needs the packages `paac` and `ray` on every machine.
"""

import argparse
import socket
import subprocess
import sys
from collections.abc import Sequence

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

SETTINGS_ARE_WRONG = 2  # exit code of paac


@ray.remote
class Rank:
    """One process of the run, on the machine where Ray has placed it."""

    def address(self) -> str:
        """Host and a free port, at which the other ranks will find this one."""
        with socket.create_server(("", 0)) as server:
            return f"{ray.util.get_node_ip_address()}:{server.getsockname()[1]}"

    def train(self, addresses: Sequence[str], rank: int, arguments: Sequence[str]) -> int:
        """Train until the end, and return the exit code. What the process prints goes to Ray's log."""
        command = [sys.executable, "-m", "paac_cli", "train", *arguments]
        return subprocess.run([*command, "--cluster", ",".join(addresses), "--rank", str(rank)], check=False).returncode


def train_once(group: PlacementGroup, ranks: int, resources: dict[str, int], arguments: Sequence[str]) -> list[int]:
    """Start all ranks and wait for them. Returns their exit codes."""
    actors = [
        Rank.options(scheduling_strategy=PlacementGroupSchedulingStrategy(group, index), **resources).remote()
        for index in range(ranks)
    ]
    addresses = ray.get([actor.address.remote() for actor in actors])
    return ray.get([actor.train.remote(addresses, rank, arguments) for rank, actor in enumerate(actors)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument("--cores", type=int, default=1, help="of each rank")
    parser.add_argument("--gpus", type=int, default=0, help="of each rank")
    parser.add_argument("--strategy", default="SPREAD", help="Ray's placement strategy, e.g. SPREAD or STRICT_SPREAD")
    parser.add_argument("--max-restarts", type=int, default=3)
    parser.add_argument("arguments", nargs="+", metavar="-- ARGUMENTS", help="arguments of paac train")
    options = parser.parse_args()
    ray.init()
    group = placement_group([{"CPU": options.cores, "GPU": options.gpus}] * options.ranks, strategy=options.strategy)
    ray.get(group.ready())
    resources = {"num_cpus": options.cores, "num_gpus": options.gpus}
    try:
        for _ in range(options.max_restarts + 1):
            try:
                codes = train_once(group, options.ranks, resources, options.arguments)
            except ray.exceptions.RayActorError as error:
                print(f"a machine has failed: {error}", file=sys.stderr)
                codes = [1]
            if not any(codes) or max(codes) >= SETTINGS_ARE_WRONG:
                break
        code = next((code for code in codes if code), 0)
        return code if code >= 0 else 128 - code  # as shells do for a process that a signal has killed
    finally:
        remove_placement_group(group)


if __name__ == "__main__":
    sys.exit(main())
