"""PAAC: many environments stepped in parallel, one batched learner, in lock-step."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("paac")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
