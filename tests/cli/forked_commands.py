"""Runs many commands of `paac`, each as in a process of its own, but forked from one that has imported everything.

    python forked_commands.py OUTPUT < commands.json        a list of lists of arguments

Writes what command number N prints to OUTPUT/N.out and OUTPUT/N.err, and prints the exit codes as JSON. Options that
apply in each fork are in the environment: PAAC_TEST_STDOUT and PAAC_TEST_STDERR name files to write to instead, and
PAAC_TEST_DELETED the parent of a current directory that is deleted first.
"""

import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

import gymnasium  # noqa: F401

import paac_cli.runs.run_directory
import paac_cli.training.verification  # noqa: F401
from paac_cli.cli.main import main


def redirect(descriptor, path):
    target = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.dup2(target, descriptor)
    os.close(target)


def run(number, args, output):
    """Run one command in this process; returns its exit code. Flushes its output as the end of a process does."""
    redirect(1, os.environ.get("PAAC_TEST_STDOUT", f"{output}/{number}.out"))
    redirect(2, os.environ.get("PAAC_TEST_STDERR", f"{output}/{number}.err"))
    if "PAAC_TEST_DELETED" in os.environ:
        directory = Path(os.environ["PAAC_TEST_DELETED"], f"gone-{number}")
        directory.mkdir()
        os.chdir(directory)
        directory.rmdir()
    sys.argv = ["paac", *args]
    try:
        main()
    except SystemExit as ending:
        code = ending.code
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
    except OSError:
        print("Exception ignored", file=sys.stderr)
        return 120
    return code


if __name__ == "__main__":
    if os.environ["HOME"] != "/proc/nowhere":  # there Matplotlib makes a temporary directory, which it later deletes
        import_module("matplotlib.pyplot")
    codes = []
    for index, arguments in enumerate(json.load(sys.stdin)):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = run(index, [os.fsdecode(one.encode(errors="surrogateescape")) for one in arguments], sys.argv[1])
            finally:
                os._exit(code or 0)  # without the end of the interpreter, which takes long after so many imports
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(json.dumps(codes))
