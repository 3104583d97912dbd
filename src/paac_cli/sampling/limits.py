"""The limit of open files, checked before workers start."""

import resource
from pathlib import Path

from paac_cli.errors import ConfigError

_FILES_PER_WORKER = 8  # open files that a worker takes, at most, in the learner and in the fork server
_OTHER_FILES = 64  # open files of either for anything else: logs, libraries, the terminal


def raise_open_files_limit(num_workers: int) -> None:
    """Raise this process's soft limit of open files to what `num_workers` more workers need.

    Raises ConfigError if the hard limit does not allow that.
    """
    open_files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    needed = open_files + _OTHER_FILES + _FILES_PER_WORKER * num_workers
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise ConfigError(
            f"{num_workers} workers need up to {needed:,} open files, but this process may open only {hard:,}; "
            "lower sampling.num_workers or raise the limit (`ulimit -n`)"
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
