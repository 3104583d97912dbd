"""Available memory, limits of open files, and the messages if they do not suffice."""

import contextlib
import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

from paac_cli.errors import ConfigError
from paac_cli.memory import available_memory
from paac_cli.sampling.shared_block import SharedBlock

MB = 1 << 20


def write_files(root, files):
    """files: name -> text."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def available_in(tmp_path, groups=""):
    """The memory available to a process in these control groups, on a machine with 300 kB of memory and 100 of swap."""
    proc = {
        "proc/meminfo": "MemTotal: 9999999 kB\nMemAvailable: 300 kB\nSwapFree: 100 kB\n",
        "proc/self/cgroup": groups,
    }
    write_files(tmp_path, proc)
    return available_memory(tmp_path / "proc", tmp_path / "cgroup")


def test_a_machine_has_its_available_memory_and_its_swap(tmp_path):
    assert available_in(tmp_path)[:2] == (400 * 1024, "this machine")


def control_group(limit, used, names, stat):
    """The files of a control group."""
    return dict(zip(names, (str(limit), str(used), stat), strict=True))


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
V2 = ("memory.max", "memory.current", "memory.stat")


@pytest.mark.parametrize(
    ("groups", "root", "names", "stat"),
    [
        ("0::/a/b\n", "", V2, "anon 7\nactive_file 1000\ninactive_file 500\nslab 5\n"),
        ("4:memory,cpu:/a/b\n0::/\n", "memory", V1, "cache 9\ntotal_active_file 1000\ntotal_inactive_file 500\n"),
    ],
    ids=["v2", "v1"],
)
def test_a_control_group_leaves_its_limit_minus_its_use_without_cached_files(groups, root, names, stat, tmp_path):
    base = tmp_path / "cgroup" / root
    for path in ("a/b", "a", ""):  # its own, its parent, and the root, where a container may mount its own
        write_files(base / path, control_group(50_000, 20_000, names, stat))
        found = available_in(tmp_path, groups)
        assert found.bytes == 31_500
        assert "container" in found.source
        assert "docker run --memory" in found.remedy
        for name in names:
            (base / path / name).unlink()


def test_a_control_group_without_a_limit_or_without_files_limits_nothing(tmp_path):
    write_files(tmp_path / "cgroup", control_group("max", 1, V2, ""))
    write_files(tmp_path / "cgroup" / "memory", control_group(2**63 - 4096, 1, V1, ""))
    assert available_in(tmp_path, "4:memory:/\n3:cpu:/x\n0::/missing\n").source == "this machine"


def test_a_full_control_group_leaves_nothing(tmp_path):
    write_files(tmp_path / "cgroup", control_group(1000, 5000, V2, ""))
    assert available_in(tmp_path, "0::/\n").bytes == 0


def test_available_memory_is_unknown_without_the_files_of_the_kernel(tmp_path):
    assert available_memory(tmp_path, tmp_path) is None


def test_this_machine_has_available_memory():
    assert MB < available_memory().bytes < 1 << 50


def test_a_block_that_does_not_fit_is_rejected_with_its_size_and_the_remedy():
    size = 1 << 45
    with pytest.raises(ConfigError, match=rf"need {size:,} bytes.* has [0-9,]+ bytes available; .*num_envs.*num_steps"):
        SharedBlock({"obs": ((size,), np.uint8)})


@pytest.mark.parametrize("limit", ["RLIMIT_FSIZE", "RLIMIT_AS"])
def test_a_resource_limit_of_the_process_is_reported_in_the_same_way(limit):
    code = f"""if True:
        import resource
        from paac_cli.sampling.shared_block import SharedBlock
        from paac_cli.errors import ConfigError
        used = 0 if "{limit}" == "RLIMIT_FSIZE" else int(open("/proc/self/statm").read().split()[0]) * 4096
        resource.setrlimit(resource.{limit}, (used + 50 * {MB}, used + 50 * {MB}))
        SharedBlock({{"obs": ((10 * {MB},), "u1")}})
        try:
            SharedBlock({{"obs": ((100 * {MB},), "u1")}})
        except ConfigError as error:
            print(error)"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"need {100 * MB:,} bytes of memory, but the system refuses to allocate them" in result.stdout


WRITE = f"""if True:
    from paac_cli.sampling.shared_block import SharedBlock
    block = SharedBlock({{"obs": ((100 * {MB},), "u1")}})
    block["obs"][...] = 1
    print("written")"""


def test_a_small_dev_shm_limits_nothing():
    """As in Docker, where it has 64 MB by default."""
    small = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    mount = "mount -t tmpfs -o size=64k none /dev/shm"
    if subprocess.run([*small, mount], capture_output=True, check=False).returncode:
        pytest.skip("mount namespaces are not available")
    result = subprocess.run(
        [*small, f'{mount} && exec "$0" -c "$1"', sys.executable, WRITE], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "written\n"), result.stderr


def test_a_container_that_is_too_small_is_reported_before_the_kernel_kills_the_process():
    path = Path("/sys/fs/cgroup/memory", f"paac-test-{uuid.uuid4()}")
    try:
        path.mkdir()
        (path / "memory.limit_in_bytes").write_text(str(80 * MB))
    except OSError:
        with contextlib.suppress(OSError):
            path.rmdir()
        pytest.skip("control groups cannot be created")
    try:
        result = subprocess.run(
            [sys.executable, "-c", WRITE],
            preexec_fn=lambda: (path / "cgroup.procs").write_text(str(os.getpid())),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        path.rmdir()
    assert result.returncode == 1
    assert f"need {100 * MB:,} bytes of memory, but this container has" in result.stderr


def raise_limit(soft, hard, num_workers):
    """Call `raise_open_files_limit` in a process with these limits; it prints its limits afterwards."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        f"from paac_cli.sampling.limits import raise_open_files_limit; raise_open_files_limit({num_workers})\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_the_limit_of_open_files_is_raised_as_far_as_needed_and_allowed():
    assert raise_limit(512, 1024, 2).stdout == "512 1024\n"
    soft, hard = map(int, raise_limit(64, 1024, 100).stdout.split())
    assert (800 < soft < 1024, hard) == (True, 1024)
    error = raise_limit(64, 256, 100).stderr
    assert "100 workers need up to 8" in error
    assert "open files, but this process may open only 256" in error
