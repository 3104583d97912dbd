"""Trackers of one's own, as users write them: `own_trackers:JsonLines` and those that fail."""

import json
import os
import time
from pathlib import Path


class JsonLines:
    """Appends what it gets to `rows.jsonl` in the run directory, and the threads and ids that it gets it with."""

    def __init__(self, run):
        self._path = run.directory / "rows.jsonl"
        self._write(id=run.id, name=run.name, resume_at=run.resume_at, seed=run.config["seed"])

    def write(self, steps, row):
        self._write(steps=steps, names=sorted(row))

    def close(self, outcome):
        self._write(outcome=outcome)

    def _write(self, **values):
        with self._path.open("a") as file:
            file.write(json.dumps(values) + "\n")


class FailsForAWhile(JsonLines):
    """Fails at its start, and at the first rows."""

    def __init__(self, run):
        if not (run.directory / "begun").exists():
            (run.directory / "begun").touch()
            raise ConnectionError("no answer")
        super().__init__(run)
        self._failures = 2

    def write(self, steps, row):
        self._failures -= 1
        if self._failures >= 0:
            raise SystemExit("the licence has expired")
        super().write(steps, row)


class FailsAlways:
    def __init__(self, run):
        raise OSError("no route to host")


class FailsToWrite:
    def __init__(self, run):
        pass

    def write(self, steps, row):
        raise OSError("no route to host")

    def close(self, outcome):
        pass


class Hangs:
    """Never returns from `write`."""

    def __init__(self, run):
        pass

    def write(self, steps, row):
        time.sleep(1000)

    def close(self, outcome):
        raise AssertionError("it is never called")


def touch(run):
    """Not a class, but it makes a tracker, too."""
    return JsonLines(run)


if os.environ.get("IMPORTED"):
    Path(os.environ["IMPORTED"]).touch()
