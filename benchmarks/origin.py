"""The origin of a result: what a reader needs to know to judge or reproduce it."""

import os
import subprocess
from datetime import date
from typing import Any

from paac_cli.machine import machine


def origin(command: str) -> dict[str, Any]:
    """Command, commit, date, load and machine of a result that `command` makes now, in a checkout of this project."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    return {
        "command": command,
        "commit": f"{commit} and changes" if changed else commit,
        "date": date.today().isoformat(),
        "load": os.getloadavg()[0],
        "machine": machine(),
    }


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()
