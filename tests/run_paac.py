"""Runs `paac` as from the command line; it finds the environments of this directory."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from paac_cli.cli.main import main


def environment():
    """The variables of such a process."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


def paac(*arguments, code=0, env=None):
    """The finished process, with its output as text. It must exit with `code`. env: instead of `environment()`."""
    command = [sys.executable, "-m", "paac_cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=env or environment(), check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def paac_here(*arguments, code=0) -> Result:
    """The same in this process, which saves four seconds of CPU time if TensorFlow has been imported before.

    For tests of what a command does, not of what it leaves behind when it ends, or of signals.
    """
    done = CliRunner().invoke(main, list(map(str, arguments)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.stdout + done.stderr
    return done
