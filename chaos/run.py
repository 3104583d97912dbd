"""Run the trials of this package: `make chaos`.

    python -m chaos.run [--only TRIAL] [--seed 1] [--minutes 60] [--set stops=20]
    python -m chaos.run --only env_zoo --set cases=raises-in-step,sleeps --out /tmp/out

Each trial breaks runs on purpose and counts failures. Writes reliability.md and reliability.json to results/; trials
that are left out keep their previous numbers. Exits with 1 if there was any failure. The soak takes an hour, all
others together two hours.
"""

import argparse
import json
import shlex
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.origin import origin
from chaos.report import reliability_page
from chaos.result import TrialResult

#: Trial (a module of this package) -> the settings that its `run` takes.
TRIALS: dict[str, dict[str, float | str]] = {
    "same_bits": {},
    "worker_kills": {"kills": 200},
    "learner_kills": {"kills": 100},
    "signal_stops": {"stops": 50},
    "rank_failures": {"failures": 60},
    "rank_cuts": {"cuts": 20},
    "rank_stops": {"stops": 40},
    "saves": {},
    "corruption": {},
    "fuzz": {"inputs": 1_000_000},
    "env_zoo": {"cases": ""},
    "surroundings_zoo": {"cases": ""},
    "soak": {"minutes": 60},
}
WRITES_FILES = {"soak"}  #: trials that write files of their own to the output directory


def main() -> int:
    options = _parse()
    numbers = options.out / "reliability.json"
    trials = json.loads(numbers.read_text()) if numbers.exists() else {}
    made = origin(shlex.join(["python", "-m", "chaos.run", *sys.argv[1:]]))
    failures = 0
    for name in options.only or list(TRIALS):
        arguments = {key: dict(options.set).get(key, default) for key, default in TRIALS[name].items()}
        print(f"== {name} {arguments}", flush=True)
        files = {"out": options.out} if name in WRITES_FILES else {}
        result = _attempt(name, seed=options.seed, **arguments, **files)
        summary = f"{result.tried:,} {result.description}: {result.failures} failures, {result.seconds:.0f} s"
        print(summary, *result.notes, sep="\n  ")
        trials[name] = {"origin": made | {"seed": options.seed, "arguments": arguments}, "result": result._asdict()}
        failures += result.failures
        options.out.mkdir(parents=True, exist_ok=True)
        numbers.write_text(json.dumps(trials, indent=1) + "\n")
        in_order = {name: trials[name] for name in TRIALS if name in trials}
        (options.out / "reliability.md").write_text(reliability_page(in_order))
    print(f"written: {options.out / 'reliability.md'}")
    return 1 if failures else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(TRIALS), help="run only this trial; repeatable")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=None, help="length of the soak")
    parser.add_argument(
        "--set", action="append", type=_setting, default=[], metavar="NAME=VALUE", help="override a setting of a trial"
    )
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    if options.minutes is not None:
        options.set.append(("minutes", options.minutes))
    unknown = {name for name, _ in options.set} - {name for arguments in TRIALS.values() for name in arguments}
    if unknown:
        allowed = ", ".join(dict.fromkeys(name for arguments in TRIALS.values() for name in arguments))
        parser.error(f"no trial takes {', '.join(sorted(unknown))}; allowed: {allowed}")
    return options


def _setting(text: str) -> tuple[str, float | str]:
    name, _, value = text.partition("=")
    if any(isinstance(arguments.get(name), str) for arguments in TRIALS.values()):
        return name, value
    return name, int(value) if value.isdecimal() else float(value)


def _attempt(name: str, **arguments: Any) -> TrialResult:
    """The result of the trial; a trial that raises counts as one failure."""
    begin = time.monotonic()
    try:
        result: TrialResult = import_module(f"chaos.{name}").run(**arguments)
        return result
    except Exception:
        return TrialResult(name, 0, 1, time.monotonic() - begin, (f"the trial raised: {traceback.format_exc()}",))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # leaves the blocks that end processes
    sys.exit(main())
