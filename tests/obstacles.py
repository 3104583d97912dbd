"""What may lie in place of a file in somebody else's directory: name -> function that puts it at a path."""

import os
from pathlib import Path


def put_pipe(path):
    os.mkfifo(path)


def put_directory(path):
    path.mkdir()


def put_device(path):
    path.symlink_to("/dev/zero")


def put_terminal(path):
    path.symlink_to("/dev/tty")


def put_link_to_nowhere(path):
    path.symlink_to("nowhere")


def put_link_to_itself(path):
    path.symlink_to(path.name)


#: Not regular files: to open or to read one may fail, block, or never end.
NOT_FILES = [put_pipe, put_directory, put_device, put_terminal, put_link_to_nowhere, put_link_to_itself]


def put_kernel_log(path):
    """A "regular" file, which may block its reader."""
    path.symlink_to("/proc/kmsg")


def put_memory(path):
    """A "regular" file of a size that is unknown."""
    path.symlink_to("/proc/self/mem")


def put_endless_file(path):
    """A "regular" file without an end, if this system has one."""
    put_kernel_log(path) if Path("/proc/kmsg").exists() else put_memory(path)


def put_sparse_file(path):
    """6 GB of zeros, which take no space on the disk."""
    sparse(path, 6 << 30)


#: Regular files that are too large, or that the kernel makes up.
ODD_FILES = [put_kernel_log, put_memory, put_sparse_file]


def sparse(path, size):
    """Make a file of `size` zeros that takes no space on the disk."""
    with path.open("wb") as file:
        file.truncate(size)
