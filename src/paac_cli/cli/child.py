"""`python -m paac_cli.cli.child PARENT CORES ...` runs `paac ...` for the process PARENT, on the CORES, e.g. 0,1.

It gets SIGTERM when the thread that started it ends.
"""

import ctypes
import os
import signal
import sys

from paac_cli.cli.main import main

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that this process gets when the thread that started it ends

if __name__ == "__main__":
    parent, cores, *arguments = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it has ended already
        sys.exit(128 + signal.SIGTERM)
    os.sched_setaffinity(0, map(int, cores.split(",")))
    main(arguments, prog_name="paac")
