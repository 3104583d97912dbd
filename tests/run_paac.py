"""Runs `paac` as from the command line; it finds the environments of this directory."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from paac_cli.cli.main import main
from paac_cli.errors import BUG


def environment():
    """The variables of such a process, without the one with which commands in this process silence TensorFlow."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    others = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return {**others, "PYTHONPATH": path}


@contextlib.contextmanager
def running(*command, **options):
    """A process that is killed at the end of the block: a test that fails must not wait for its end.

    options: as of Popen.
    """
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True, **options) as started:
        try:
            yield started
        finally:
            started.kill()


def paac(*arguments, code=0, env=None):
    """The finished process, with its output as text. It must exit with `code`. env: instead of `environment()`."""
    command = [sys.executable, "-m", "paac_cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=env or environment(), check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def paac_here(*arguments, code: int | None = 0) -> Result:
    """The same in this process, which saves four seconds of CPU time if TensorFlow has been imported before.

    For tests of what a command does. What it leaves behind when it ends, how it takes signals, and whether a result
    depends on something in memory that no checkpoint holds, needs processes of its own. code: None allows every one but
    that of a bug.
    """
    argv, sys.argv = sys.argv, ["paac", *map(str, arguments)]
    try:
        done = CliRunner().invoke(main, sys.argv[1:])
    finally:
        sys.argv = argv
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code != BUG if code is None else done.exit_code == code, done.stdout + done.stderr
    return done
