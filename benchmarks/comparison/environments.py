"""Virtual environments for other projects, created when needed. Each has its own dependencies."""

import hashlib
import os
import platform
import shutil
import sys
from pathlib import Path

from comparison.processes import MeasurementError, output_of

BENCHMARKS = Path(__file__).parents[1]
REQUIREMENTS = BENCHMARKS / "requirements"
_MINUTE = 60.0  # seconds


def environments_directory() -> Path:
    """$PAAC_BENCH_ENVS or, if it is not set, benchmarks/.envs, which git ignores."""
    return Path(os.environ.get("PAAC_BENCH_ENVS", BENCHMARKS / ".envs"))


class Environments:
    """Virtual environments by name. If one cannot be created, that is not tried again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._failed: dict[str, MeasurementError] = {}

    def python(self, name: str) -> Path:
        """Path of the interpreter in the environment with the packages of `requirements/<name>.txt`.

        Raises MeasurementError if the environment cannot be created.
        """
        if name in self._failed:
            raise self._failed[name]
        try:
            return self._create_if_needed(name)
        except MeasurementError as error:
            self._failed[name] = MeasurementError(f"environment {name} cannot be created: {error}")
            raise self._failed[name] from error

    def _create_if_needed(self, name: str) -> Path:
        requirements, directory = REQUIREMENTS / f"{name}.txt", (self._directory / name).absolute()
        python, stamp = directory / "bin" / "python", directory / "complete"
        expected = hashlib.sha256(f"{platform.python_version()}\n{requirements.read_text()}".encode()).hexdigest()
        if stamp.exists() and stamp.read_text() == expected:
            return python
        print(f"creating the environment {directory}", flush=True)
        shutil.rmtree(directory, ignore_errors=True)
        directory.parent.mkdir(parents=True, exist_ok=True)
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]
        output_of([sys.executable, "-m", "venv", directory], 5 * _MINUTE, isolated=True)
        output_of([python, *install, requirements], 60 * _MINUTE, isolated=True)
        stamp.write_text(expected)
        return python
