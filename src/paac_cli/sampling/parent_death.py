"""Ties the fork server to the learner: importing this module makes the kernel kill the process when its parent dies.

Only the fork server imports it, as its first module. Without it the server would notice the learner's death only after
all its other imports, which take seconds.
"""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that this process gets when the thread that started it ends

ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
