"""Measure this project and others side by side: `make bench`.

    python benchmarks/compare.py [--only GROUP] [--rounds 5] [--seconds 8] [--report-only]
    python benchmarks/compare.py --against REV     # only this version beside the commit REV of its repository

In every round each contestant of a group runs once, alone, in an order that rotates. Writes benchmarks.md and
benchmarks.json to results/; groups that are not measured keep their previous numbers. Exits with 1 if a target is
missed. Other projects run in separate virtual environments, which are created when needed in $PAAC_BENCH_ENVS or
benchmarks/.envs (6 GB on disk). Takes about half an hour on a machine that does nothing else.
"""

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from comparison.contestants import DURATION_FACTORS, GROUPS, Contestant, Measurement, Setting, beside
from comparison.environments import Environments, environments_directory
from comparison.processes import MeasurementError
from comparison.report import SPEED, benchmarks_page, missed_targets
from comparison.revisions import Revision
from comparison.targets import EARLIER
from origin import origin
from paac_cli.machine import available_cores


def main() -> int:
    options = parse_options()
    numbers = options.out / "benchmarks.json"
    groups = json.loads(numbers.read_text()) if numbers.exists() else {}
    if not options.report_only:
        environments = Environments(environments_directory())
        warn_of_load()
        contestants = dict(GROUPS)
        if options.against:
            revision = Revision(options.against, environments_directory())
            contestants[EARLIER] = beside(revision)
        chosen = options.only or ([EARLIER] if options.against else list(GROUPS))
        made = origin(shlex.join(["python", "benchmarks/compare.py", *sys.argv[1:]]))
        prepare([contestant for name in chosen for contestant in contestants[name]], environments)
        for name in [] if options.prepare else chosen:
            print(f"== {name}", flush=True)
            setting = Setting(options.seconds * DURATION_FACTORS.get(name, 1.0), environments)
            rounds = measure(contestants[name], options.rounds, setting)
            groups[name] = {"origin": made | {"seconds": setting.seconds}, "rounds": rounds}
            if name == EARLIER:
                groups[name]["revision"] = revision.commit
            numbers.parent.mkdir(parents=True, exist_ok=True)
            numbers.write_text(json.dumps(groups, indent=1) + "\n")
    if options.prepare:
        return 0
    if not groups:
        sys.exit(f"there is nothing to report: {numbers} is missing or empty; run without --report-only first")
    (options.out / "benchmarks.md").write_text(benchmarks_page(groups))
    missed = missed_targets(groups)
    for target in missed:
        print(f"missed: {target}")
    print(f"written: {options.out / 'benchmarks.md'}")
    return 1 if missed else 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*GROUPS, EARLIER]
    parser.add_argument("--only", action="append", choices=names, help="measure only this group; repeatable")
    parser.add_argument("--against", metavar="REV", help="measure the group 'earlier': this version and the commit REV")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=8.0, help="seconds of measurement per contestant and round; half for scaling"
    )
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--prepare", action="store_true", help="only create the virtual environments")
    parser.add_argument("--report-only", action="store_true", help="only write benchmarks.md, from benchmarks.json")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds must be >= 1 and --seconds > 0")
    if EARLIER in (options.only or []) and not options.against:
        parser.error(f"--only {EARLIER} needs --against REV")
    return options


def prepare(contestants: Sequence[Contestant], environments: Environments) -> None:
    """Create the virtual environments before anything is measured. Prints which cannot be created, and why."""
    for name in sorted({contestant.environment for contestant in contestants if contestant.environment}):
        try:
            environments.python(name)
        except MeasurementError as error:
            print(error, flush=True)


def measure(contestants: Sequence[Contestant], rounds: int, setting: Setting) -> list[dict[str, Measurement]]:
    """Run every contestant once in each round, in an order that rotates from round to round."""
    measured = []
    for number in range(rounds):
        first = number % len(contestants)
        results = {}
        for contestant in [*contestants[first:], *contestants[:first]]:
            results[contestant.name] = attempt(contestant, setting)
            print(f"{number + 1}/{rounds}  {contestant.name}: {one_line(results[contestant.name])}", flush=True)
        measured.append({contestant.name: results[contestant.name] for contestant in contestants})
    return measured


def attempt(contestant: Contestant, setting: Setting) -> Measurement:
    try:
        return contestant.measure(setting)
    except MeasurementError as error:
        return {"failed": str(error)}


def one_line(result: Measurement) -> str:
    """The result for the console."""
    if SPEED in result:
        return f"{result[SPEED]:,.0f} steps/s"
    return ", ".join(f"{key} {value:,.2f}" if isinstance(value, float) else str(value) for key, value in result.items())


def warn_of_load() -> None:
    load, cores = os.getloadavg()[0], available_cores()
    if load > cores / 2:
        print(f"Warning: load {load:.1f} on {cores} cores: other programs distort the measurement", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # leaves the blocks that end processes
    sys.exit(main())
