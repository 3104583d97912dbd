"""Deep reinforcement learning with many environments stepped in parallel by one learner, in lock-step."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("paac")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"
