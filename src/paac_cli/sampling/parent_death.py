"""What the server that forks workers imports first, and nobody else: it ends with the learner.

By itself it would look for the learner only after all its imports, which take seconds.
"""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal for when the thread that has started us is gone

ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
