"""Where a result comes from: what a reader must know to judge it, or to make it again."""

import os
import platform
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

from paac_cli.sampling.shares import available_cores


def origin(command: str) -> dict[str, Any]:
    """Of a result that `command` makes now, in a checkout of this project."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    return {
        "command": command,
        "commit": f"{commit} and changes" if changed else commit,
        "date": date.today().isoformat(),
        "load": os.getloadavg()[0],
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """The processor and what else of this machine matters."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    kilobytes = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": available_cores(),
        "memory": f"{kilobytes * 1024 / 1e9:.0f} GB",
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
    }


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
