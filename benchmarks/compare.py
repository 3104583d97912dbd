"""Measure this project beside others, and what it promises of itself: `make bench`.

    python benchmarks/compare.py [--only GROUP] [--rounds 5] [--seconds 8] [--report-only]

In every round each contestant of a group runs once, alone, in an order that rotates. Writes benchmarks.md and
benchmarks.json into results/; groups that are not measured this time keep what they had. Exits with 1 where a target is
missed. The peers run in virtual environments of their own, which are made on demand in $PAAC_BENCH_ENVS, or
benchmarks/.envs: 6 GB on disk. Half an hour or so, on a machine that does nothing else.
"""

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from comparison.contestants import GROUPS, SHARES, Contestant, Measured, Setting
from comparison.environments import Environments, place_of_environments
from comparison.processes import Failed
from comparison.report import SPEED, missed, page
from origin import origin


def main() -> int:
    options = parse()
    numbers = options.out / "benchmarks.json"
    groups = json.loads(numbers.read_text()) if numbers.exists() else {}
    if not options.report_only:
        environments, cores = Environments(place_of_environments()), len(os.sched_getaffinity(0))
        warn_of_load()
        chosen = options.only or list(GROUPS)
        made = origin(shlex.join(["python", "benchmarks/compare.py", *sys.argv[1:]]))
        prepare([contestant for name in chosen for contestant in GROUPS[name]], environments)
        for name in [] if options.prepare else chosen:
            print(f"== {name}", flush=True)
            setting = Setting(options.seconds * SHARES.get(name, 1.0), cores, environments)
            rounds = measure(GROUPS[name], options.rounds, setting)
            groups[name] = {"made": made | {"seconds": setting.seconds}, "rounds": rounds}
            numbers.parent.mkdir(parents=True, exist_ok=True)
            numbers.write_text(json.dumps(groups, indent=1) + "\n")
    if options.prepare:
        return 0
    if not groups:
        sys.exit(f"nothing to report: there is no {numbers}")
    (options.out / "benchmarks.md").write_text(page(groups))
    for what in missed(groups):
        print(f"missed: {what}")
    print(f"written: {options.out / 'benchmarks.md'}")
    return 1 if missed(groups) else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(GROUPS), help="this group; repeatable")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="measured of each in each round; of scaling, half")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--prepare", action="store_true", help="only make the environments")
    parser.add_argument("--report-only", action="store_true", help="only write the page, from benchmarks.json")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    return options


def prepare(contestants: Sequence[Contestant], environments: Environments) -> None:
    """Make the environments before anything is measured. One that fails is reported where it is missed."""
    for name in sorted({contestant.environment for contestant in contestants if contestant.environment}):
        try:
            environments.python(name)
        except Failed as error:
            print(error, flush=True)


def measure(contestants: Sequence[Contestant], rounds: int, setting: Setting) -> list[dict[str, Measured]]:
    """Every contestant once in each round, in an order that rotates from round to round."""
    measured = []
    for number in range(rounds):
        first = number % len(contestants)
        results = {}
        for contestant in [*contestants[first:], *contestants[:first]]:
            results[contestant.name] = attempt(contestant, setting)
            print(f"{number + 1}/{rounds}  {contestant.name}: {brief(results[contestant.name])}", flush=True)
        measured.append({contestant.name: results[contestant.name] for contestant in contestants})
    return measured


def attempt(contestant: Contestant, setting: Setting) -> Measured:
    try:
        return contestant.measure(setting)
    except Failed as error:
        return {"failed": str(error)}


def brief(result: Measured) -> str:
    """One line for whoever is waiting."""
    if SPEED in result:
        return f"{result[SPEED]:,.0f} steps/s"
    return ", ".join(f"{key} {value:,.2f}" if isinstance(value, float) else str(value) for key, value in result.items())


def warn_of_load() -> None:
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load > cores / 2:
        print(f"load {load:.1f} on {cores} cores: the figures are worth little if others are still at work", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # no contestant outlives this
    sys.exit(main())
