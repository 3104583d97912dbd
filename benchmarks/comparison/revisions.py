"""Earlier versions of this project, to be measured beside this one."""

import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

from comparison.environments import BENCHMARKS
from comparison.processes import MeasurementError

_ROOT = BENCHMARKS.parent


class Revision:
    """The source tree of a commit. It runs with the interpreter and the packages of this version."""

    def __init__(self, name: str, directory: Path) -> None:
        """name: as `git rev-parse` takes it. directory: where source trees are kept. Raises MeasurementError."""
        self.commit = _git("rev-parse", "--short=7", f"{name}^{{commit}}").decode().strip()
        self._tree = (directory / self.commit).absolute()
        if not self._tree.exists():
            with tarfile.open(fileobj=BytesIO(_git("archive", self.commit, "src", "presets"))) as archive:
                archive.extractall(self._tree, filter="data")

    @property
    def command(self) -> list[str | Path]:
        """The command that runs `paac` of this version."""
        return ["env", f"PYTHONPATH={self._tree / 'src'}", sys.executable, "-m", "paac_cli"]


def _git(*arguments: str) -> bytes:
    result = subprocess.run(["git", "-C", os.fspath(_ROOT), *arguments], capture_output=True)
    if result.returncode != 0:
        raise MeasurementError(f"git {' '.join(arguments)}: {result.stderr.decode().strip()}")
    return result.stdout
