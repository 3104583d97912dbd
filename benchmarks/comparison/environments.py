"""Virtual environments of the peers, made on demand, so that nobody's dependencies mix."""

import hashlib
import os
import platform
import shutil
import sys
from pathlib import Path

from comparison.processes import Failed, output_of

BENCHMARKS = Path(__file__).parents[1]
REQUIREMENTS = BENCHMARKS / "requirements"
_MINUTES = 60.0  # seconds in one


def place_of_environments() -> Path:
    """$PAAC_BENCH_ENVS, or a directory beside the benchmarks that git ignores."""
    return Path(os.environ.get("PAAC_BENCH_ENVS", BENCHMARKS / ".envs"))


class Environments:
    """Python of each environment, by name; one that could not be made is not tried again."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._failed: dict[str, Failed] = {}

    def python(self, name: str) -> Path:
        """Path of the interpreter in the environment `requirements/<name>.txt`. Raises Failed."""
        if name in self._failed:
            raise self._failed[name]
        try:
            return self._made(name)
        except Failed as error:
            self._failed[name] = Failed(f"no environment {name}: {error}")
            raise self._failed[name] from error

    def _made(self, name: str) -> Path:
        requirements, directory = REQUIREMENTS / f"{name}.txt", (self._place / name).absolute()
        python, stamp = directory / "bin" / "python", directory / "complete"
        expected = hashlib.sha256(f"{platform.python_version()}\n{requirements.read_text()}".encode()).hexdigest()
        if stamp.exists() and stamp.read_text() == expected:
            return python
        print(f"making the environment {directory}", flush=True)
        shutil.rmtree(directory, ignore_errors=True)
        directory.parent.mkdir(parents=True, exist_ok=True)
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]
        output_of([sys.executable, "-m", "venv", directory], 5 * _MINUTES, isolated=True)
        output_of([python, *install, requirements], 60 * _MINUTES, isolated=True)
        stamp.write_text(expected)
        return python
