"""Do to this project what goes wrong in the life of a run, and count what is lost: `make chaos`.

    python -m chaos.run [--only TRIAL] [--seed 1] [--minutes 60] [--set stops=20]

Writes reliability.md and reliability.json into results/; trials that are not run this time keep what they had. Exits
with 1 where anything was lost. An hour for the soak, and half an hour for all else.
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

from chaos.report import page
from chaos.tally import Tally
from origin import origin

#: Trial, which is a module beside this one -> the numbers that its `run` takes, of the long form.
TRIALS: dict[str, dict[str, float]] = {
    "same_bits": {},
    "worker_kills": {"kills": 200},
    "learner_kills": {"kills": 100},
    "signal_stops": {"stops": 50},
    "saves": {},
    "corruption": {},
    "fuzz": {"inputs": 1_000_000},
    "soak": {"minutes": 60},
}
LEAVES_FILES = {"soak"}  # of its own, beside the table


def main() -> int:
    options = _parse()
    numbers = options.out / "reliability.json"
    trials = json.loads(numbers.read_text()) if numbers.exists() else {}
    made = origin(shlex.join(["python", "-m", "chaos.run", *sys.argv[1:]]))
    lost = 0
    for name in options.only or list(TRIALS):
        arguments = {key: dict(options.set).get(key, number) for key, number in TRIALS[name].items()}
        print(f"== {name} {arguments}", flush=True)
        files = {"out": options.out} if name in LEAVES_FILES else {}
        tally = _attempt(name, seed=options.seed, **arguments, **files)
        print(f"{tally.tried:,} {tally.what}: {tally.lost} lost, in {tally.seconds:.0f} s", *tally.notes, sep="\n  ")
        trials[name] = {"made": made | {"seed": options.seed, "arguments": arguments}, "tally": tally._asdict()}
        lost += tally.lost
        options.out.mkdir(parents=True, exist_ok=True)
        numbers.write_text(json.dumps(trials, indent=1) + "\n")
        (options.out / "reliability.md").write_text(page({name: trials[name] for name in TRIALS if name in trials}))
    print(f"written: {options.out / 'reliability.md'}")
    return 1 if lost else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(TRIALS), help="this trial; repeatable")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=None, help="of the soak")
    parser.add_argument("--set", action="append", type=_number, default=[], metavar="NAME=NUMBER", help="of a trial")
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    if options.minutes is not None:
        options.set.append(("minutes", options.minutes))
    unknown = {name for name, _ in options.set} - {name for arguments in TRIALS.values() for name in arguments}
    if unknown:
        parser.error(f"no trial has {', '.join(sorted(unknown))}")
    return options


def _number(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    return name, int(number) if number.isdecimal() else float(number)


def _attempt(name: str, **arguments: Any) -> Tally:
    """What the trial comes to; where it fails by itself, that is a loss."""
    begin = time.monotonic()
    try:
        tally: Tally = import_module(f"chaos.{name}").run(**arguments)
        return tally
    except Exception:
        return Tally(name, 0, 1, time.monotonic() - begin, (f"it failed: {traceback.format_exc()}",))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # nothing that it started outlives this
    sys.exit(main())
